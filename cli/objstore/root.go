package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// app is one invocation of objstore: its streams and global flags.
type app struct {
	stdin   *os.File
	stdout  io.Writer
	columns int // of the terminal that is stdout, 0 if it is none
	console *console

	stateDir    string
	stateIn     string
	config      string
	output      outputFormat
	concurrency int
	memoryLimit byteSize
	bandwidth   byteSize
	verbose     bool
}

func (a *app) command() *cobra.Command {
	root := group("objstore", "Replicate objects between directories and object stores",
		`objstore keeps objects replicated between directories and object stores.

A directory or a URL names a store: local:///path, s3://bucket/prefix,
minio://bucket/prefix?endpoint=URL, gs://bucket/prefix,
azblob://container/prefix?accountName=NAME, memory://name. Query parameters are
the driver's settings; give secrets as env:NAME or file:PATH.

Exit codes: 0 all done, 1 failed, 2 usage, 3 some objects failed or
differ, 4 stopped by the delete brake or an empty source, 5 locked by another
process, 130 interrupted.`)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetOut(a.stdout)
	root.SetErr(a.console)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			// The flag may well be one of the command that is misspelt.
			return cmd.Args(cmd, words)
		}
		return &usageError{err, helpHint(cmd)}
	})

	a.output = formatTable
	f := root.PersistentFlags()
	f.SortFlags = false
	f.StringVar(&a.stateDir, "state-dir", "", "keep policies, ledgers and locks in `DIR` (default $OBJSTORE_STATE_DIR, else the user's state directory)")
	f.StringVar(&a.stateIn, "state-backend", "", "directory or `URL` that keeps ledgers and status instead, for several machines to share")
	f.StringVar(&a.config, "config", "", "read named backends and policies from `FILE`, in YAML")
	f.VarP(&a.output, "output", "o", "output `FORMAT`: table, json or yaml")
	f.IntVar(&a.concurrency, "concurrency", 0, "copy `NUMBER` objects at once (default 32)")
	f.Var(&a.bandwidth, "bandwidth", "bytes a second that are copied, such as 50M (default no bound)")
	f.Var(&a.memoryLimit, "memory-limit", "bytes of object content held in memory, such as 64M; some 40M come on top (default 32M)")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "log to standard error")

	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.checkFlags(cmd) }
	root.SetHelpCommand(helpCommand())
	root.SetUsageFunc(a.usage)
	root.AddCommand(
		a.syncCommand(),
		a.replicationCommand(),
		a.probeCommand(),
		a.putCommand(), a.getCommand(), a.statCommand(), a.listCommand(), a.deleteCommand(),
		a.versionCommand(),
	)
	return root
}

// checkFlags makes usage errors of the bounds that the library puts to its
// options, which it reports with everything else that keeps it from opening.
func (a *app) checkFlags(cmd *cobra.Command) error {
	const maxConcurrency, minMemory = 1024, 1 << 20
	f := cmd.Flags()
	switch {
	case f.Changed("concurrency") && (a.concurrency < 1 || a.concurrency > maxConcurrency):
		return usagef(helpHint(cmd), "--concurrency: %d is not within 1 to %d", a.concurrency, maxConcurrency)
	case f.Changed("memory-limit") && a.memoryLimit < minMemory:
		return usagef(helpHint(cmd), "--memory-limit: %d bytes is less than %s", a.memoryLimit, humanBytes(minMemory))
	}
	return nil
}

// helpCommand is `help [COMMAND]`. Cobra's own answers an unknown command with
// success.
func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show help for a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = target.Args(target, rest)
			}
			if err != nil {
				return err
			}
			return target.Help()
		},
	}
}

// group is a command that only holds others. Cobra's own treatment of such
// commands answers a misspelt one with help and success, or with several lines.
func group(use, short, long string) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Long:  long,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			cmd.SuggestionsMinimumDistance = 2
			hint := helpHint(cmd)
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("did you mean %q?", near[0])
			}
			return usagef(hint, "unknown command %q of %s", args[0], nameOf(cmd))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.HasParent() {
				return cmd.Help()
			}
			var names []string
			for _, c := range cmd.Commands() {
				if c.IsAvailableCommand() {
					names = append(names, c.Name())
				}
			}
			return usagef(helpHint(cmd), "%s needs a command: %s", nameOf(cmd), strings.Join(names, ", "))
		},
	}
}

// args checks the number of arguments against the names in cmd's use line.
func args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		_, wanted, _ := strings.Cut(cmd.Use, " ")
		if wanted == "" {
			wanted = "no arguments"
		}
		return usagef(helpHint(cmd), "%s takes %s, and was given %d", nameOf(cmd), wanted, len(args))
	}
}

// nameOf is a command as an error names it, which begins with the program's name.
func nameOf(cmd *cobra.Command) string {
	return strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
}

func helpHint(cmd *cobra.Command) string {
	return fmt.Sprintf("see '%s --help'", cmd.CommandPath())
}

// need marks a flag as required; unlike cobra's own, the fault is a usage error.
func need(cmd *cobra.Command, names ...string) {
	check := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		var missing []string
		for _, name := range names {
			if f := cmd.Flags().Lookup(name); f.Value.String() == "" {
				missing = append(missing, "--"+name)
			}
		}
		if len(missing) > 0 {
			return usagef(helpHint(cmd), "%s needs %s", nameOf(cmd), strings.Join(missing, " and "))
		}
		if check != nil {
			return check(cmd, args)
		}
		return nil
	}
}

// outputFormat is the form of standard output.
type outputFormat string

const (
	formatTable outputFormat = "table"
	formatJSON  outputFormat = "json"
	formatYAML  outputFormat = "yaml"
)

var _ pflag.Value = (*outputFormat)(nil)

func (f *outputFormat) String() string { return string(*f) }
func (f *outputFormat) Type() string   { return "FORMAT" }
func (f *outputFormat) Set(s string) error {
	switch outputFormat(s) {
	case formatTable, formatJSON, formatYAML:
		*f = outputFormat(s)
		return nil
	}
	return errors.New("allowed are table, json, yaml")
}
