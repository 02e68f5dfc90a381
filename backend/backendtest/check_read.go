package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/objrepl/replication/backend"
)

var readChecks = []Check{
	{"range", "a range yields its bytes and the size of the whole", checkRange},
	{"range-empty", "ranges of an empty object are empty", checkRangeEmpty},
	{"range-large", "ranges of a large object cross the borders of its parts", checkRangeLarge},
	{"open-if-match", "Open refuses any other version than the one asked for", checkOpenIfMatch},
	{"open-overwritten", "a reader does not mix versions when the object is overwritten", checkOpenOverwritten},
	{"open-close-early", "a reader may be closed before its end", checkOpenCloseEarly},
}

func (e *env) wantRange(ctx context.Context, key string, data []byte, tag backend.Tag, offset, length int64) error {
	o, got, err := e.read(ctx, key, backend.OpenOptions{Offset: offset, Length: length})
	what := fmt.Sprintf("open %d bytes at %d of %d", length, offset, len(data))
	if err != nil {
		return ruleRange.broken("%s: got error %w, want success", what, err)
	}
	want := data[min(offset, int64(len(data))):]
	if length > 0 {
		want = want[:min(length, int64(len(want)))]
	}
	if d := difference(got, want); d != "" {
		return ruleRange.broken("%s: %s", what, d)
	}
	if o.Size != int64(len(data)) {
		return ruleOpenSize.broken("%s: got size %d, want %d", what, o.Size, len(data))
	}
	if o.Tag != tag {
		return ruleTag.broken("%s: got tag %q, want %q", what, o.Tag, tag)
	}
	return nil
}

func checkRange(ctx context.Context, e *env) error {
	key, data := e.key("object"), e.bytes(1000)
	o, err := e.put(ctx, key, data)
	if err != nil {
		return err
	}
	for _, r := range [][2]int64{
		{0, 0}, {0, 1}, {0, 10}, {0, 999}, {0, 1000}, {0, 1001}, {0, 1 << 40},
		{1, 0}, {1, 1}, {500, 0}, {500, 1}, {500, 250}, {500, 500}, {500, 501},
		{998, 1}, {999, 0}, {999, 1}, {999, 2},
		{1000, 0}, {1000, 1}, {1001, 0}, {1001, 7}, {1 << 40, 0}, {1 << 40, 1},
	} {
		if err := e.wantRange(ctx, key, data, o.Tag, r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

func checkRangeEmpty(ctx context.Context, e *env) error {
	key := e.key("empty")
	o, err := e.put(ctx, key, nil)
	if err != nil {
		return err
	}
	for _, r := range [][2]int64{{0, 0}, {0, 1}, {0, 100}, {1, 0}, {1, 1}, {100, 100}} {
		if err := e.wantRange(ctx, key, nil, o.Tag, r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

func checkRangeLarge(ctx context.Context, e *env) error {
	key, data := e.key("large"), e.bytes(e.large())
	o, err := e.put(ctx, key, data)
	if err != nil {
		return err
	}
	size := int64(len(data))
	ranges := [][2]int64{{size / 2, 0}, {size - 1, 1}, {size - 1, 100}, {size, 0}, {0, size - 1}}
	for border := int64(1 << 20); border < size; border *= 2 {
		ranges = append(ranges, [2]int64{border - 1, 2}, [2]int64{border, 1000})
	}
	for range 5 {
		ranges = append(ranges, [2]int64{int64(e.intN(len(data))), int64(1 + e.intN(100_000))})
	}
	for _, r := range ranges {
		if err := e.wantRange(ctx, key, data, o.Tag, r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

func checkOpenIfMatch(ctx context.Context, e *env) error {
	key, data := e.key("object"), e.bytes(1000)
	stale, err := e.put(ctx, key, e.bytes(1000))
	if err != nil {
		return err
	}
	current, err := e.put(ctx, key, data)
	if err != nil {
		return err
	}
	for _, r := range [][2]int64{{0, 0}, {10, 100}, {999, 1}} {
		opts := backend.OpenOptions{Offset: r[0], Length: r[1], IfMatch: current.Tag}
		_, got, err := e.read(ctx, key, opts)
		if err != nil {
			return ruleOpenMatch.broken("open %v of the current version: got error %w, want success", r, err)
		}
		want := data[r[0]:]
		if r[1] > 0 {
			want = want[:r[1]]
		}
		if d := difference(got, want); d != "" {
			return ruleOpenMatch.broken("open %v of the current version: %s", r, d)
		}
		opts.IfMatch = stale.Tag
		_, _, err = e.read(ctx, key, opts)
		if err := ruleOpenMatch.wantError(fmt.Sprintf("open %v of a stale version", r), err, backend.ErrPrecondition); err != nil {
			return err
		}
	}
	if err := e.remove(ctx, key); err != nil {
		return err
	}
	_, _, err = e.read(ctx, key, backend.OpenOptions{IfMatch: current.Tag})
	return ruleOpenMatch.wantError("open of a version that is deleted", err, backend.ErrPrecondition, fs.ErrNotExist)
}

func checkOpenOverwritten(ctx context.Context, e *env) error {
	for _, how := range []string{"overwritten", "deleted", "deleted and written again"} {
		key, first := e.key("large"), e.bytes(e.large())
		if _, err := e.put(ctx, key, first); err != nil {
			return err
		}
		_, r, err := e.Open(ctx, key, backend.OpenOptions{})
		if err != nil {
			return err
		}
		head := make([]byte, 1000)
		if _, err := io.ReadFull(r, head); err != nil {
			r.Close()
			return ruleOneVersion.broken("read the first bytes: got error %w, want success", err)
		}
		if how != "overwritten" {
			if err := e.remove(ctx, key); err != nil {
				r.Close()
				return err
			}
		}
		if how != "deleted" {
			if _, err := e.put(ctx, key, e.bytes(len(first))); err != nil {
				r.Close()
				return err
			}
		}
		tail, err := io.ReadAll(r)
		r.Close()
		d := difference(append(head, tail...), first)
		switch {
		case err == nil && d != "":
			return ruleOneVersion.broken("read an object that is %s meanwhile up to io.EOF: %s", how, d)
		case err != nil && how == "overwritten" && !errors.Is(err, backend.ErrPrecondition):
			return ruleOneVersion.broken("read an object that is overwritten meanwhile: got error %w, want the whole first version or ErrPrecondition", err)
		}
	}
	return nil
}

func checkOpenCloseEarly(ctx context.Context, e *env) error {
	key, data := e.key("large"), e.bytes(e.large())
	o, err := e.put(ctx, key, data)
	if err != nil {
		return err
	}
	for range 3 * workers {
		_, r, err := e.Open(ctx, key, backend.OpenOptions{})
		if err != nil {
			return ruleOpenObject.broken("open after others were closed early: got error %w, want success", err)
		}
		if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
			r.Close()
			return err
		}
		if err := e.within(r.Close); err != nil {
			return ruleOpenObject.broken("close a reader after one byte: got error %w, want success", err)
		}
	}
	return e.wantRange(ctx, key, data, o.Tag, 0, 10)
}
