package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/objrepl/replication"
)

// logHandler writes the whole log with -v, and without it only warnings, in
// the form of objstore's own. Neither shows secrets: the library logs none.
func (a *app) logHandler() slog.Handler {
	if a.verbose {
		return slog.NewTextHandler(a.console, &slog.HandlerOptions{Level: slog.LevelDebug})
	}
	return &warnings{console: a.console}
}

var taskNames = map[replication.Task]string{
	replication.TaskSync: "pass", replication.TaskPlan: "plan", replication.TaskVerify: "verification",
}

// observing returns how a replicator feeds the log.
func (a *app) observing() replication.Option {
	return replication.WithObserver(logEvent(slog.New(a.logHandler())))
}

// logEvent logs what a pass does, for -v.
func logEvent(log *slog.Logger) func(replication.Event) {
	return func(e replication.Event) {
		attrs := []any{"policy", e.PolicyID}
		if e.Key != "" {
			attrs = append(attrs, "key", e.Key, "size", e.Size)
		}
		if e.Err != nil {
			attrs = append(attrs, "err", e.Err)
		}
		switch e.Type {
		case replication.EventProgress:
		case replication.EventStarted, replication.EventFinished:
			p := e.Progress
			log.Info(taskNames[e.Task]+" "+string(e.Type), append(attrs, "listed", p.Listed, "planned", p.Planned, "done", p.Done, "deleted", p.Deleted, "failed", p.Failed)...)
		default:
			log.Debug(string(e.Type), attrs...)
		}
	}
}

// warnings is a handler that prints what a person has to know as one line.
type warnings struct {
	console *console
	attrs   string // of WithAttrs, ready to be appended
	group   string // of WithGroup, ends in a dot unless empty
}

func (h *warnings) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (h *warnings) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	r.Attrs(func(a slog.Attr) bool {
		h.append(&b, a)
		return true
	})
	h.console.Warnf("%s%s%s", r.Message, h.attrs, b.String())
	return nil
}

func (h *warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		h.append(&b, a)
	}
	return &warnings{h.console, h.attrs + b.String(), h.group}
}

func (h *warnings) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &warnings{h.console, h.attrs, h.group + name + "."}
}

func (h *warnings) append(b *strings.Builder, a slog.Attr) {
	if !a.Equal(slog.Attr{}) {
		fmt.Fprintf(b, " %s%s=%q", h.group, a.Key, a.Value.Resolve().String())
	}
}
