package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/objrepl/replication/probe"
)

// showProbe prints what each feature is found to be, what that means, and with -v
// every check.
func (a *app) showProbe(t *table, r probe.Result) {
	t.row("FEATURE", "DECLARED", "FOUND", "DETAIL")
	meanings, broken := slices.Clone(r.Weaker), []string(nil)
	for _, f := range r.Features {
		t.row(f.Name, string(f.Declared), string(f.Found), f.Detail)
		switch {
		case f.Found == probe.Broken:
			broken = append(broken, f.Name+": "+f.Meaning)
			for _, c := range r.Checks {
				if slices.Contains(f.Failed, c.Name) {
					broken = append(broken, fmt.Sprintf("  %s: %s", c.Name, c.Doc), "    "+shortFailure(r, c))
				}
			}
		case f.Meaning != "" && !slices.ContainsFunc(r.Weaker, func(w string) bool { return strings.HasSuffix(w, f.Meaning) }):
			meanings = append(meanings, f.Name+": "+f.Meaning)
		}
	}
	t.flush()
	a.section("Weaker, and taken into account:", meanings)
	a.section("Not as declared; a replication can go wrong:", broken)
	if refused := refusedNames(r); len(refused) > 0 {
		a.section("Names that the store refuses; such an object fails alone, and is reported:", []string{strings.Join(refused, ", ")})
	}
	if a.verbose {
		fmt.Fprintln(a.stdout)
		t.row("CHECK", "STATUS", "SECONDS", "WHAT THE STORE HAS TO DO")
		for _, c := range r.Checks {
			t.row(c.Name, c.Status, fmt.Sprintf("%.2f", float64(c.DurationMS)/1000), c.Doc)
		}
		t.flush()
	}
	left := "nothing is left"
	if r.Left != "" {
		left = "not all could be removed"
	}
	fmt.Fprintf(a.stdout, "\n%s requests, %s written, %s read, in %v\n%s under %s\n",
		humanCount(r.Cost.Requests), humanBytes(r.Cost.BytesWritten), humanBytes(r.Cost.BytesRead),
		(time.Duration(r.DurationMS) * time.Millisecond).Round(100*time.Millisecond), left, oneLine(r.Prefix))
	if r.Removed > 0 {
		fmt.Fprintf(a.stdout, "%s objects of earlier probes, which were cut short, are removed\n", humanCount(int64(r.Removed)))
	}
	for _, other := range r.Others {
		fmt.Fprintf(a.stdout, "%s is of another probe, which may be under way; if it is not, a probe removes it after a day\n", oneLine(other))
	}
}

// proseWidth is what text for people is wrapped to, whatever the terminal has.
const proseWidth = 78

func (a *app) section(title string, entries []string) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(a.stdout, "\n%s\n", title)
	for _, e := range entries {
		text := strings.TrimLeft(e, " ")
		indent := strings.Repeat(" ", 2+len(e)-len(text))
		wrap(a.stdout, indent, indent+"  ", oneLine(text), proseWidth)
	}
}

// shortFailure renders a check's failure without what is the same in all, and what
// JSON has: the prefix of the probe, and the sentence of the contract.
func shortFailure(r probe.Result, c probe.Check) string {
	text, _, _ := strings.Cut(c.Error, " [contract: ")
	return shorten(strings.ReplaceAll(text, r.Prefix+c.Name+"/", ""), 300)
}

func refusedNames(r probe.Result) []string {
	var names []string
	for _, c := range r.Checks {
		if name, ok := strings.CutPrefix(c.Name, "key-"); ok && len(c.Notes) > 0 && strings.HasPrefix(c.Notes[0], "refused: ") {
			names = append(names, name)
		}
	}
	return names
}
