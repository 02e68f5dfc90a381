package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/objrepl/replication/backend"
)

var conditionChecks = []Check{
	{"put-if-absent", "Absent creates, and does not replace; or is refused, as declared", checkPutIfAbsent},
	{"put-if-match", "Match replaces that version alone; or is refused, as declared", checkPutIfMatch},
	{"put-if-match-absent", "Match does not create", checkPutIfMatchAbsent},
	{"put-if-large", "conditions hold for large objects too", checkPutIfLarge},
	{"delete-if-match", "IfMatch deletes that version alone; or is refused, as declared", checkDeleteIfMatch},
	{"delete-if-match-absent", "a conditional deletion of an absent object fails", checkDeleteIfMatchAbsent},
}

var (
	ifAbsent      = backend.PutOptions{If: backend.Condition{Absent: true}}
	absentFailing = []error{backend.ErrPrecondition, fs.ErrExist}
)

func ifMatch(tag backend.Tag) backend.PutOptions {
	return backend.PutOptions{If: backend.Condition{Match: tag}}
}

func checkPutIfAbsent(ctx context.Context, e *env) error {
	key, data := e.key("object"), e.bytes(100)
	if !e.Properties().Put.IfAbsent {
		return e.refused(ctx, ruleUndeclared, map[string]backend.Body{
			"an object on condition that it is absent": backend.Bytes(data),
		}, ifAbsent, errors.ErrUnsupported)
	}
	o, err := e.putWith(ctx, key, data, ifAbsent)
	if err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCondition, key, data, o.Tag); err != nil {
		return err
	}
	for name, body := range map[string][]byte{"other content": e.bytes(100), "the same content": data, "an empty body": nil} {
		_, err := e.Put(ctx, key, backend.Bytes(body), ifAbsent)
		if err := ruleCondition.wantError("put of "+name+" if absent, over an object", err, absentFailing...); err != nil {
			return err
		}
		if err := e.wantContent(ctx, ruleCondition, key, data, o.Tag); err != nil {
			return err
		}
	}
	if err := e.remove(ctx, key); err != nil {
		return err
	}
	again, err := e.putWith(ctx, key, data, ifAbsent)
	if err != nil {
		return ruleCondition.broken("put if absent, after a deletion: %w", err)
	}
	return e.wantContent(ctx, ruleCondition, key, data, again.Tag)
}

// twoVersions writes an object twice and returns what is current and the tag
// of what was before.
func (e *env) twoVersions(ctx context.Context, key string, size int) (current backend.Object, data []byte, stale backend.Tag, err error) {
	data = e.bytes(size)
	first, err := e.put(ctx, key, e.bytes(size))
	if err == nil {
		current, err = e.put(ctx, key, data)
	}
	return current, data, first.Tag, err
}

func checkPutIfMatch(ctx context.Context, e *env) error {
	key := e.key("object")
	current, data, stale, err := e.twoVersions(ctx, key, 100)
	if err != nil {
		return err
	}
	if !e.Properties().Put.IfMatch {
		_, err := e.Put(ctx, key, backend.Bytes(e.bytes(100)), ifMatch(current.Tag))
		return errors.Join(
			ruleUndeclared.wantError("put if match", err, errors.ErrUnsupported),
			e.wantContent(ctx, ruleUndeclared, key, data, current.Tag),
		)
	}
	_, err = e.Put(ctx, key, backend.Bytes(e.bytes(100)), ifMatch(stale))
	if err := ruleCondition.wantError("put if match of a stale version", err, backend.ErrPrecondition); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCondition, key, data, current.Tag); err != nil {
		return err
	}
	for range 3 {
		data = e.bytes(100)
		next, err := e.putWith(ctx, key, data, ifMatch(current.Tag))
		if err != nil {
			return ruleCondition.broken("put if match of the current version: %w", err)
		}
		if err := e.wantContent(ctx, ruleCondition, key, data, next.Tag); err != nil {
			return err
		}
		current = next
	}
	return nil
}

func checkPutIfMatchAbsent(ctx context.Context, e *env) error {
	if !e.Properties().Put.IfMatch {
		return e.skip("the condition is not declared")
	}
	key := e.key("object")
	o, err := e.put(ctx, key, e.bytes(100))
	if err != nil {
		return err
	}
	if err := e.remove(ctx, key); err != nil {
		return err
	}
	for _, key := range []string{key, e.key("never/was")} {
		_, err := e.Put(ctx, key, backend.Bytes(e.bytes(100)), ifMatch(o.Tag))
		if err := ruleCondition.wantError("put if match of an absent object", err, backend.ErrPrecondition, fs.ErrNotExist); err != nil {
			return err
		}
		if err := e.wantAbsent(ctx, ruleCondition, key); err != nil {
			return err
		}
	}
	return nil
}

// A driver may send large objects by other requests, which honour other
// conditions.
func checkPutIfLarge(ctx context.Context, e *env) error {
	p := e.Properties().Put
	if !p.IfAbsent && !p.IfMatch {
		return e.skip("no condition is declared")
	}
	key := e.key("large")
	current, data, stale, err := e.twoVersions(ctx, key, e.large())
	if err != nil {
		return err
	}
	if p.IfAbsent {
		_, err := e.Put(ctx, key, backend.Bytes(e.bytes(e.large())), ifAbsent)
		if err := ruleCondition.wantError("put if absent, large, over an object", err, absentFailing...); err != nil {
			return err
		}
		fresh := e.bytes(e.large())
		o, err := e.putWith(ctx, e.key("fresh"), fresh, ifAbsent)
		if err != nil {
			return ruleCondition.broken("put if absent, large: %w", err)
		}
		if err := e.wantContent(ctx, ruleCondition, e.key("fresh"), fresh, o.Tag); err != nil {
			return err
		}
	}
	if p.IfMatch {
		_, err := e.Put(ctx, key, backend.Bytes(e.bytes(e.large())), ifMatch(stale))
		if err := ruleCondition.wantError("put if match of a stale version, large", err, backend.ErrPrecondition); err != nil {
			return err
		}
	}
	if err := e.wantContent(ctx, ruleCondition, key, data, current.Tag); err != nil || !p.IfMatch {
		return err
	}
	data = e.bytes(e.large())
	if current, err = e.putWith(ctx, key, data, ifMatch(current.Tag)); err != nil {
		return ruleCondition.broken("put if match of the current version, large: %w", err)
	}
	return e.wantContent(ctx, ruleCondition, key, data, current.Tag)
}

func checkDeleteIfMatch(ctx context.Context, e *env) error {
	key := e.key("object")
	current, data, stale, err := e.twoVersions(ctx, key, 100)
	if err != nil {
		return err
	}
	if !e.Properties().Delete.IfMatch {
		err := e.Delete(ctx, key, backend.DeleteOptions{IfMatch: current.Tag})
		return errors.Join(
			ruleUndeclared.wantError("delete if match", err, errors.ErrUnsupported),
			e.wantContent(ctx, ruleUndeclared, key, data, current.Tag),
		)
	}
	err = e.Delete(ctx, key, backend.DeleteOptions{IfMatch: stale})
	if err := ruleCondition.wantError("delete if match of a stale version", err, backend.ErrPrecondition); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCondition, key, data, current.Tag); err != nil {
		return err
	}
	err = e.Delete(ctx, key, backend.DeleteOptions{IfMatch: current.Tag})
	if err := ruleCondition.wantOK("delete if match of the current version", err); err != nil {
		return err
	}
	return e.wantAbsent(ctx, ruleCondition, key)
}

func checkDeleteIfMatchAbsent(ctx context.Context, e *env) error {
	if !e.Properties().Delete.IfMatch {
		return e.skip("the condition is not declared")
	}
	key := e.key("object")
	o, err := e.put(ctx, key, e.bytes(100))
	if err != nil {
		return err
	}
	if err := e.remove(ctx, key); err != nil {
		return err
	}
	for _, key := range []string{key, e.key("never/was")} {
		err := e.Delete(ctx, key, backend.DeleteOptions{IfMatch: o.Tag})
		if err := ruleDeleteMatch.wantError(fmt.Sprintf("delete if match of absent %q", key), err, backend.ErrPrecondition, fs.ErrNotExist); err != nil {
			return err
		}
	}
	return nil
}
