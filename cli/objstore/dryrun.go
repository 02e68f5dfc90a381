package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/objrepl/replication"
)

// maxShownItems bounds the objects that a table lists.
const maxShownItems = 20

// planFlags are the flags of a dry run.
type planFlags struct {
	dryRun bool
	items  string
}

func (pf *planFlags) add(f *pflag.FlagSet) {
	f.BoolVarP(&pf.dryRun, "dry-run", "n", false, "show what would be done, and why, and change nothing")
	f.StringVar(&pf.items, "plan", "", "with --dry-run: write every object that would be touched to `FILE`, a JSON object a line")
}

func (pf *planFlags) check() error {
	if pf.items != "" && !pf.dryRun {
		return usagef("", "--plan goes with --dry-run")
	}
	return nil
}

// runPlan makes a plan and prints it.
func (a *app) runPlan(ctx context.Context, pf planFlags, force bool, plan func(context.Context, *replication.Replicator, ...replication.PlanOption) (replication.Plan, error)) error {
	return a.look(ctx, func(ctx context.Context, r *replication.Replicator, finished func()) error {
		opts := []replication.PlanOption{replication.PlanFor(forcing(force)...)}
		report, err := openReport(pf.items)
		if err != nil {
			return err
		}
		if report != nil {
			opts = append(opts, replication.PlanItemsTo(report))
		}
		res, err := plan(ctx, r, opts...)
		err = withError(err, report.close())
		finished()
		if err != nil {
			return err
		}
		return a.print(res, func(t *table) { showPlan(t, res, pf.items) })
	})
}

// look runs what only looks, with its progress shown until it calls finished.
func (a *app) look(ctx context.Context, f func(ctx context.Context, r *replication.Replicator, finished func()) error) error {
	meter := a.startMeter(false)
	defer meter.Stop()
	opts := meter.options()
	if a.verbose {
		opts = append(opts, a.observing())
	}
	return a.with(ctx, func(ctx context.Context, r *replication.Replicator) error {
		return f(ctx, r, meter.Stop)
	}, opts...)
}

func showPlan(t *table, p replication.Plan, file string) {
	var rows [][]string
	listed := int64(0)
	for _, c := range p.Reasons {
		listed += c.Objects
		rows = append(rows, []string{string(c.Action), words(c.Reason), humanCount(c.Objects), humanBytes(c.Bytes), meanings[c.Reason]})
	}
	rows = append(rows, []string{"none", "unchanged", humanCount(p.Unchanged), "", ""})
	t.grid([]column{{name: "ACTION"}, {name: "REASON"}, {name: "OBJECTS"}, {name: "BYTES"}, {"MEANING", true}}, rows)
	t.showItems(p.Items, listed, file)
	t.line("")
	t.row("REQUESTS", "LIST", "HEAD", "GET", "PUT", "DELETE", "ESTIMATED COST")
	t.row(requestRow("source", p.Requests.Least.Source, p.Requests.Most.Source, p.SourceCost)...)
	t.row(requestRow("destination", p.Requests.Least.Destination, p.Requests.Most.Destination, p.DestinationCost)...)
	t.line("")
	if p.DestinationMissing {
		t.line("the destination does not exist yet")
	}
	t.sentence("%s", outlook(p))
	if p.HeldBack != nil {
		t.sentence("nothing would be deleted: %v; the flag is --force-deletes", p.HeldBack)
	}
	t.line("this was a dry run: nothing was changed")
}

// showItems lists the first objects of so many.
func (t *table) showItems(items []replication.PlanItem, of int64, file string) {
	if len(items) == 0 {
		return
	}
	var rows [][]string
	for _, i := range items[:min(len(items), maxShownItems)] {
		rows = append(rows, []string{string(i.Action), words(i.Reason), humanBytes(i.Bytes), i.Key})
	}
	t.line("")
	t.grid([]column{{name: "ACTION"}, {name: "REASON"}, {name: "BYTES"}, {"KEY", true}}, rows)
	if more := of - int64(len(rows)); more > 0 {
		where := "--plan FILE lists all"
		if file != "" {
			where = "all are in " + file
		}
		t.line("and %s more; %s", humanCount(more), where)
	}
}

func requestRow(side string, least, most replication.Requests, cost *replication.Cost) []string {
	price := "unknown"
	if cost != nil {
		price = "$" + between(fmt.Sprintf("%.4f", cost.Least), fmt.Sprintf("%.4f", cost.Most))
	}
	span := func(least, most int64) string { return between(humanCount(least), humanCount(most)) }
	return []string{
		side, span(least.List, most.List), span(least.Head, most.Head), span(least.Get, most.Get),
		span(least.Put, most.Put), span(least.Delete, most.Delete), price,
	}
}

func between(least, most string) string {
	if least == most {
		return least
	}
	return least + " to " + most
}
