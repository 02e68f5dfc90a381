package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/objrepl/replication/backend"
)

var bulkChecks = []Check{
	{"delete-many", "many deletions in one go remove those objects and no other", checkDeleteMany},
	{"delete-many-full", "as many deletions as are declared are taken, most of objects that are absent", checkDeleteManyFull},
	{"delete-many-partly", "a deletion that fails has its own error, and the others are made", checkDeleteManyPartly},
	{"delete-many-odd", "odd keys are deleted among many, or refused as such and left alone", checkDeleteManyOdd},
	{"delete-many-if-match", "IfMatch among many deletes that version alone; or is refused, as declared", checkDeleteManyIfMatch},
	{"delete-many-cancelled", "after its context has ended nothing is said to be deleted", checkDeleteManyCancelled},
}

// deleteMany returns the answer to deletions, one for each, or an error where
// the store takes none.
func (e *env) deleteMany(ctx context.Context, deletions ...backend.Deletion) ([]error, error) {
	bulk, ok := backend.As[backend.BulkDeleter](e.inner)
	if !ok || e.Properties().MaxBulkDelete == 0 {
		return nil, e.skip("the backend is no BulkDeleter")
	}
	errs := bulk.DeleteMany(ctx, deletions)
	if len(errs) != len(deletions) {
		return nil, ruleDeleteMany.broken("delete %d objects: got %d answers, want one for each", len(deletions), len(errs))
	}
	return errs, nil
}

// bulkKeys puts objects under keys.
func (e *env) bulkKeys(ctx context.Context, keys ...string) error {
	return errors.Join(parallel(len(keys), func(i int) error {
		_, err := e.put(ctx, keys[i], []byte(keys[i]))
		return err
	})...)
}

func checkDeleteMany(ctx context.Context, e *env) error {
	var deletions []backend.Deletion
	var keys, stay []string
	for i := range min(max(e.Properties().MaxBulkDelete, 2), 20) {
		keys = append(keys, e.key(fmt.Sprintf("dir%d/object %02d", i%3, i)))
		stay = append(stay, e.key(fmt.Sprintf("dir%d/object %02d/", i%3, i))+"x", keys[i]+"x")
		deletions = append(deletions, backend.Deletion{Key: keys[i]})
	}
	// A key below another is no object in every store.
	for i := 0; i < len(stay); i += 2 {
		stay[i] = e.key(fmt.Sprintf("other%02d", i))
	}
	if err := e.bulkKeys(ctx, append(keys, stay...)...); err != nil {
		return err
	}
	errs, err := e.deleteMany(ctx, deletions...)
	if err != nil {
		return err
	}
	for i, key := range keys {
		if err := ruleDeleteMany.wantOK(fmt.Sprintf("delete %q among %d", key, len(keys)), errs[i]); err != nil {
			return err
		}
		if err := e.wantAbsent(ctx, ruleDeleteMany, key); err != nil {
			return err
		}
	}
	for _, key := range stay {
		if err := e.wantContent(ctx, ruleDeleteMany, key, []byte(key), ""); err != nil {
			return err
		}
	}
	return nil
}

func checkDeleteManyFull(ctx context.Context, e *env) error {
	n := e.Properties().MaxBulkDelete
	deletions := make([]backend.Deletion, n)
	var keys []string
	for i := range deletions {
		deletions[i].Key = e.key(fmt.Sprintf("object%04d", i))
		if i%100 == 0 || i == n-1 {
			keys = append(keys, deletions[i].Key)
		}
	}
	if err := e.bulkKeys(ctx, keys...); err != nil {
		return err
	}
	errs, err := e.deleteMany(ctx, deletions...)
	if err != nil {
		return err
	}
	for i, err := range errs {
		if err := ruleDeleteMany.wantOK(fmt.Sprintf("delete %q, one of %d", deletions[i].Key, n), err); err != nil {
			return err
		}
	}
	return e.wantList(ctx, ruleDeleteMany, backend.ListOptions{Prefix: e.prefix}, nil)
}

func checkDeleteManyPartly(ctx context.Context, e *env) error {
	keys := []string{e.key("a"), e.key("c")}
	if err := e.bulkKeys(ctx, keys...); err != nil {
		return err
	}
	errs, err := e.deleteMany(ctx, backend.Deletion{Key: keys[0]}, backend.Deletion{Key: ""}, backend.Deletion{Key: keys[1]})
	if err != nil {
		return err
	}
	if err := ruleDeleteMany.wantError(`delete "" among others`, errs[1], backend.ErrInvalidKey, fs.ErrNotExist); err != nil {
		return err
	}
	for i, key := range keys {
		if err := ruleDeleteMany.wantOK(fmt.Sprintf("delete %q beside one that fails", key), errs[2*i]); err != nil {
			return err
		}
		if err := e.wantAbsent(ctx, ruleDeleteMany, key); err != nil {
			return err
		}
	}
	return nil
}

// oddBulkKeys are those that a document which lists keys may mistake.
var oddBulkKeys = []string{
	"plain", "a&b", "a<b>c", `quo"te'd`, "per%41cent", "per+plus", "sp ace", " before", "after ",
	"line\nfeed", "return\rhere", "both\r\nhere", "tab\there", "\x01control", "\x7fdel", "\u0085next", "\u2028line", "\ufffenone", "\u00e9", "e\u0301", "\U0001f600", "]]>", "&amp;",
}

func checkDeleteManyOdd(ctx context.Context, e *env) error {
	var deletions []backend.Deletion
	for _, name := range oddBulkKeys {
		key := e.key(name)
		switch _, err := e.Put(ctx, key, backend.Bytes([]byte(key)), backend.PutOptions{}); {
		case errors.Is(err, backend.ErrInvalidKey):
			continue
		case err != nil:
			return ruleKey.broken("put %q: got error %w, want success or ErrInvalidKey", key, err)
		}
		deletions = append(deletions, backend.Deletion{Key: key})
	}
	for len(deletions) > 0 {
		n := min(len(deletions), max(e.Properties().MaxBulkDelete, 1))
		errs, err := e.deleteMany(ctx, deletions[:n]...)
		if err != nil {
			return err
		}
		for i, d := range deletions[:n] {
			switch _, err := e.Stat(ctx, d.Key); {
			case errs[i] == nil && !errors.Is(err, fs.ErrNotExist):
				return ruleDeleteMany.broken("delete %q among %d: got success, and then %v; want it absent", d.Key, n, err)
			case errs[i] == nil:
			case !errors.Is(errs[i], errors.ErrUnsupported):
				return ruleDeleteMany.broken("delete %q among %d: got error %w, want success or errors.ErrUnsupported", d.Key, n, errs[i])
			case err != nil:
				return ruleDeleteMany.broken("delete %q among %d was refused; stat: got %w, want the object", d.Key, n, err)
			default:
				// Not left to the cleaning up: a store may list it as another.
				if err := e.remove(ctx, d.Key); err != nil {
					return err
				}
			}
		}
		deletions = deletions[n:]
	}
	return nil
}

func checkDeleteManyIfMatch(ctx context.Context, e *env) error {
	moved, same, never := e.key("moved"), e.key("same"), e.key("never")
	current, data, stale, err := e.twoVersions(ctx, moved, 100)
	if err != nil {
		return err
	}
	o, err := e.put(ctx, same, data)
	if err != nil {
		return err
	}
	errs, err := e.deleteMany(ctx, backend.Deletion{Key: moved, IfMatch: stale}, backend.Deletion{Key: same, IfMatch: o.Tag}, backend.Deletion{Key: never, IfMatch: o.Tag})
	if err != nil {
		return err
	}
	if !e.Properties().BulkDelete.IfMatch {
		for i, err := range errs {
			if err := ruleUndeclared.wantError(fmt.Sprintf("deletion %d among many, if match", i), err, errors.ErrUnsupported); err != nil {
				return err
			}
		}
		return errors.Join(e.wantContent(ctx, ruleUndeclared, moved, data, current.Tag), e.wantContent(ctx, ruleUndeclared, same, data, o.Tag))
	}
	return errors.Join(
		ruleCondition.wantError("delete among many if match of a stale version", errs[0], backend.ErrPrecondition),
		e.wantContent(ctx, ruleCondition, moved, data, current.Tag),
		ruleCondition.wantOK("delete among many if match of the current version", errs[1]),
		e.wantAbsent(ctx, ruleCondition, same),
		ruleDeleteMatch.wantError("delete among many if match of an absent object", errs[2], backend.ErrPrecondition, fs.ErrNotExist),
	)
}

func checkDeleteManyCancelled(ctx context.Context, e *env) error {
	keys := []string{e.key("a"), e.key("b")}
	if err := e.bulkKeys(ctx, keys...); err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	errs, err := e.deleteMany(ended, backend.Deletion{Key: keys[0]}, backend.Deletion{Key: keys[1]})
	if err != nil {
		return err
	}
	for i, key := range keys {
		if err := ruleCancel.wantError(fmt.Sprintf("delete %q among many, cancelled", key), errs[i], context.Canceled); err != nil {
			return err
		}
	}
	return nil
}
