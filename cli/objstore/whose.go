package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

// whose passes a command is about: those of a policy, by --id, or of a one-shot
// sync, by its id or by the SRC and DST that it was given.
type whose struct {
	id     string
	places *oneShot // nil where --id is given
}

func (w *whose) add(cmd *cobra.Command) {
	cmd.Use += " [SRC DST]"
	cmd.Args = args(0, 2)
	cmd.Flags().StringVar(&w.id, "id", "", "`ID` of the policy, or of a one-shot sync")
}

// given reports whether anything is named; a fault is a usage error.
func (w *whose) given(a *app, cmd *cobra.Command, args []string) (bool, error) {
	named := cmd.Flags().Changed("id")
	switch {
	case named && len(args) > 0, len(args) == 1:
		return false, usagef(helpHint(cmd), "%s takes either --id=ID or SRC and DST", nameOf(cmd))
	case len(args) == 0:
		return named, nil
	}
	s, err := a.places(args)
	w.places = &s
	return true, err
}

// must is given where something has to be.
func (w *whose) must(a *app, cmd *cobra.Command, args []string) error {
	given, err := w.given(a, cmd, args)
	if err == nil && (!given || w.places == nil && w.id == "") {
		err = usagef(helpHint(cmd), "%s needs --id=ID, or SRC and DST", nameOf(cmd))
	}
	return err
}

// policy returns the policy that is named, or the one that a one-shot sync by these
// rules would have.
func (w *whose) policy(ctx context.Context, r *replication.Replicator, rules replication.Policy) (replication.Policy, error) {
	if w.places != nil {
		p, err := w.places.policy(ctx, r, rules)
		return p, w.places.wrap(err)
	}
	p, err := r.Policy(w.id)
	return p, ofOneShot(err, w.id, "a one-shot sync has no stored policy; give SRC and DST in place of --id")
}

// remembered gives f the id of whose passes are asked for.
func (a *app) remembered(ctx context.Context, w *whose, f func(ctx context.Context, r *replication.Replicator, id string) error) error {
	id := w.id
	err := a.with(ctx, func(ctx context.Context, r *replication.Replicator) (err error) {
		if w.places != nil {
			if id, err = w.places.id(ctx, r); err != nil {
				return err
			}
		}
		return f(ctx, r, id)
	})
	if w.places != nil && errors.Is(err, replication.ErrPolicyNotFound) {
		return &hinted{w.places.wrap(errors.New("no such sync has come to its end with this state directory (its id is " + id + ")")), "check SRC, DST and --state-dir"}
	}
	return ofOneShot(err, id, "no sync with this id was run with this state directory; check --state-dir, or give SRC and DST")
}

// ofOneShot adds a hint where a command does not know the id of a one-shot sync.
func ofOneShot(err error, id, hint string) error {
	if isOneShot(id) && errors.Is(err, replication.ErrPolicyNotFound) {
		return &hinted{err, hint}
	}
	return err
}
