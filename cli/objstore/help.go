package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Help is laid out for a terminal of helpColumns where there is none, such as for
// a pager, and for no more than widestHelp, since long lines are hard to read.
const (
	helpColumns = 80
	widestHelp  = 120
)

// usage prints how a command is called and what its flags are. Unlike cobra's own
// it keeps within the terminal.
func (a *app) usage(cmd *cobra.Command) error {
	columns := helpColumns
	if a.columns > 0 {
		columns = min(a.columns, widestHelp)
	}
	var b strings.Builder
	section := func(title, text string) {
		if text = strings.TrimRight(text, "\n"); text != "" {
			fmt.Fprintf(&b, "\n%s:\n%s\n", title, text)
		}
	}
	line := cmd.UseLine()
	if cmd.HasAvailableSubCommands() {
		line = cmd.CommandPath() + " COMMAND [flags]"
	}
	fmt.Fprintf(&b, "Usage:\n  %s\n", line)
	section("Examples", cmd.Example)
	section("Commands", commandsOf(cmd, columns))
	section("Flags", cmd.LocalFlags().FlagUsagesWrapped(columns))
	section("Global flags", cmd.InheritedFlags().FlagUsagesWrapped(columns))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\nSee '%s COMMAND --help' for each command.\n", cmd.CommandPath())
	}
	_, err := fmt.Fprint(cmd.OutOrStdout(), b.String())
	return err
}

func commandsOf(cmd *cobra.Command, columns int) string {
	var b strings.Builder
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			first := "  " + pad(c.Name(), cmd.Commands()[0].NamePadding()) + strings.Repeat(" ", columnGap)
			wrap(&b, first, strings.Repeat(" ", len(first)), c.Short, columns)
		}
	}
	return b.String()
}
