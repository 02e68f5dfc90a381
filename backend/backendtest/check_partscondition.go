package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/objrepl/replication/backend"
)

func checkPartsIfAbsent(ctx context.Context, e *env) error {
	absent := backend.Condition{Absent: true}
	key, data := e.key("object"), e.bytes(1000)
	u, parts, err := e.oneSmall(ctx, key, data)
	if err != nil {
		return err
	}
	defer u.end(ctx)
	if !e.Properties().Complete.IfAbsent {
		_, err := u.Complete(ctx, parts, absent)
		return errors.Join(ruleUndeclared.wantError("complete if absent", err, errors.ErrUnsupported), e.wantAbsent(ctx, ruleUndeclared, key))
	}
	there, err := e.put(ctx, key, []byte("in the way"))
	if err != nil {
		return err
	}
	_, err = u.Complete(ctx, parts, absent)
	if err := ruleCondition.wantError("complete if absent, over an object", err, absentFailing...); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCondition, key, []byte("in the way"), there.Tag); err != nil {
		return err
	}
	if err := e.remove(ctx, key); err != nil {
		return err
	}
	if e.Properties().Parts.WritesEnd {
		if u, parts, err = e.oneSmall(ctx, key, data); err != nil {
			return err
		}
		defer u.end(ctx)
	}
	// The failure was definite, so the upload is still there.
	if err := u.wantParts(ctx, parts...); err != nil {
		return err
	}
	_, err = u.complete(ctx, parts, absent, data)
	return err
}

func checkPartsIfMatch(ctx context.Context, e *env) error {
	key, data := e.key("object"), e.bytes(1000)
	u, parts, err := e.oneSmall(ctx, key, data)
	if err != nil {
		return err
	}
	defer u.end(ctx)
	current, before, stale, err := e.twoVersions(ctx, key, 100)
	if err != nil {
		return err
	}
	if !e.Properties().Complete.IfMatch {
		_, err := u.Complete(ctx, parts, backend.Condition{Match: current.Tag})
		return errors.Join(ruleUndeclared.wantError("complete if match", err, errors.ErrUnsupported),
			e.wantContent(ctx, ruleUndeclared, key, before, current.Tag))
	}
	_, err = u.Complete(ctx, parts, backend.Condition{Match: stale})
	if err := ruleCondition.wantError("complete if match of a stale version", err, backend.ErrPrecondition); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCondition, key, before, current.Tag); err != nil {
		return err
	}
	if _, err := u.complete(ctx, parts, backend.Condition{Match: current.Tag}, data); err != nil {
		return err
	}
	// One that has to match something does not create.
	gone := e.key("gone")
	u, parts, err = e.oneSmall(ctx, gone, data)
	if err != nil {
		return err
	}
	defer u.end(ctx)
	_, err = u.Complete(ctx, parts, backend.Condition{Match: current.Tag})
	return errors.Join(
		ruleCondition.wantError("complete if match of an absent object", err, backend.ErrPrecondition),
		e.wantAbsent(ctx, ruleCondition, gone),
	)
}

func checkPartsRace(ctx context.Context, e *env) error {
	p := e.Properties()
	if _, ok := backend.As[backend.PartUploader](e.inner); !ok {
		return e.skip("the backend is no PartUploader")
	}
	if !p.Complete.IfAbsent && !p.Complete.IfMatch {
		return e.skip("no condition is declared")
	}
	for round := range rounds {
		key := e.key(fmt.Sprintf("object%d", round))
		if p.Complete.IfAbsent {
			if err := e.raceCompletes(ctx, "complete if absent", key, backend.Condition{Absent: true}, absentFailing...); err != nil {
				return err
			}
		}
		if p.Complete.IfMatch {
			o, err := e.put(ctx, key, e.bytes(100))
			if err != nil {
				return err
			}
			if err := e.raceCompletes(ctx, "complete if match", key, backend.Condition{Match: o.Tag}, backend.ErrPrecondition); err != nil {
				return err
			}
		}
	}
	return nil
}

// raceCompletes completes as many uploads of one key at once.
func (e *env) raceCompletes(ctx context.Context, what, key string, c backend.Condition, classes ...error) error {
	uploads := make([]*uploading, racers)
	parts := make([][]backend.Part, racers)
	bodies := make([][]byte, racers)
	for i := range uploads {
		bodies[i] = bytes.Repeat([]byte{byte('a' + i)}, 1000+i)
		var err error
		if uploads[i], parts[i], err = e.oneSmall(ctx, key, bodies[i]); err != nil {
			return err
		}
		defer uploads[i].end(ctx)
	}
	won := make([]backend.Object, racers)
	i, err := winner(what, race(racers, func(i int) error {
		return settle(ctx, func() (err error) {
			won[i], err = uploads[i].Complete(ctx, parts[i], c)
			return err
		})
	}), classes...)
	if err != nil {
		return err
	}
	return e.wantContent(ctx, ruleAtomic, key, bodies[i], won[i].Tag)
}
