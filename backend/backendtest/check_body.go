package backendtest

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/objrepl/replication/backend"
)

var bodyChecks = []Check{
	{"body-short", "a body shorter than its size is ErrChecksum and writes nothing", checkBodyShort},
	{"body-long", "a body longer than its size is ErrChecksum and writes nothing", checkBodyLong},
	{"body-large-short", "so is a large body that is too short", checkBodyLargeShort},
	{"body-large-long", "so is a large body that is too long", checkBodyLargeLong},
	{"body-fails", "a body that fails writes nothing", checkBodyFails},
	{"body-fails-at-end", "an error in place of a body's io.EOF fails the write", checkBodyFailsAtEnd},
	{"body-closed", "every reader of a body is closed", checkBodyClosed},
	{"body-file", "a body may have a file behind it", checkBodyFile},
	{"body-unknown-size", "a body of unknown size is written or refused, as declared", checkUnknownSize},
}

// afterwards is how long a request that a driver gave up may still be under
// way: a server that got every byte writes the object although the client has
// found out by then that the body went on, or failed.
const afterwards = 50 * time.Millisecond

// refused checks that a Put of each body fails with one of the classes, first
// where nothing was and then over a version, and changes nothing, then or
// later.
func (e *env) refused(ctx context.Context, r rule, bodies map[string]backend.Body, opts backend.PutOptions, classes ...error) error {
	fresh, kept, before := e.key("fresh"), e.key("kept"), e.bytes(500)
	o, err := e.put(ctx, kept, before)
	if err != nil {
		return err
	}
	for name, body := range bodies {
		_, err := e.Put(ctx, fresh, body, opts)
		if err := r.wantError("put of "+name, err, classes...); err != nil {
			return err
		}
		_, err = e.Put(ctx, kept, body, opts)
		if err := r.wantError("put of "+name+" over a version", err, classes...); err != nil {
			return err
		}
		for _, wait := range []time.Duration{0, afterwards} {
			time.Sleep(wait)
			if err := e.wantAbsent(ctx, ruleWhole, fresh); err != nil {
				return err
			}
			if err := e.wantContent(ctx, ruleWhole, kept, before, o.Tag); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkBodyShort(ctx context.Context, e *env) error {
	return e.refused(ctx, ruleLength, map[string]backend.Body{
		"9 bytes said to be 10":    wrongSize(e.bytes(9), 10),
		"no bytes said to be 1":    wrongSize(nil, 1),
		"1 byte said to be 100000": wrongSize(e.bytes(1), 100_000),
	}, backend.PutOptions{}, backend.ErrChecksum)
}

func checkBodyLong(ctx context.Context, e *env) error {
	return e.refused(ctx, ruleLength, map[string]backend.Body{
		"11 bytes said to be 10":    wrongSize(e.bytes(11), 10),
		"1 byte said to be none":    wrongSize(e.bytes(1), 0),
		"100000 bytes said to be 1": wrongSize(e.bytes(100_000), 1),
	}, backend.PutOptions{}, backend.ErrChecksum)
}

func checkBodyLargeShort(ctx context.Context, e *env) error {
	n := e.large() - 1
	return e.refused(ctx, ruleLength, map[string]backend.Body{
		"a large body that lacks a byte": wrongSize(e.bytes(n), int64(n)+1),
	}, backend.PutOptions{}, backend.ErrChecksum)
}

func checkBodyLargeLong(ctx context.Context, e *env) error {
	n := e.large()
	return e.refused(ctx, ruleLength, map[string]backend.Body{
		"a large body with a byte too many": wrongSize(e.bytes(n), int64(n)-1),
	}, backend.PutOptions{}, backend.ErrChecksum)
}

func checkBodyFails(ctx context.Context, e *env) error {
	small, large := e.bytes(1000), e.bytes(e.large())
	cannotOpen := func(int64) (io.ReadCloser, error) { return nil, errBody }
	return e.refused(ctx, ruleWhole, map[string]backend.Body{
		"a body that fails to open":           {Size: 10, Open: cannotOpen},
		"a body that fails at once":           failing(small, 0),
		"a body that fails half-way":          failing(small, 500),
		"a body that fails at its last byte":  failing(small, 999),
		"a large body that fails near an end": failing(large, len(large)-10),
	}, backend.PutOptions{})
}

// A reader that finds out at its end that the object changed meanwhile, or
// that a checksum is wrong, says so in place of io.EOF, after the last byte.
func checkBodyFailsAtEnd(ctx context.Context, e *env) error {
	small, large := e.bytes(1000), e.bytes(e.large())
	return e.refused(ctx, ruleWhole, map[string]backend.Body{
		"an empty body that fails in place of EOF": failing(nil, 0),
		"a body that fails in place of EOF":        failing(small, len(small)),
		"a large body that fails in place of EOF":  failing(large, len(large)),
	}, backend.PutOptions{})
}

// checkBodyClosed allows for HTTP clients that close a request's body a moment
// after they have returned the answer.
func checkBodyClosed(ctx context.Context, e *env) error {
	var c counted
	for name, size := range map[string]int{"empty": 0, "small": 100, "large": e.large()} {
		data := e.bytes(size)
		if _, err := e.Put(ctx, e.key(name), c.body(data), backend.PutOptions{}); err != nil {
			return ruleBody.broken("put of a %s body: got error %w, want success", name, err)
		}
		if err := e.wantContent(ctx, ruleBody, e.key(name), data, ""); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(e.opts.Grace)
	for c.open.Load() > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := c.open.Load(); n > 0 {
		return ruleBody.broken("%d of %d readers of the body: got left open, want all closed", n, c.opened.Load())
	}
	return nil
}

func checkBodyFile(ctx context.Context, e *env) error {
	for name, size := range map[string]int{"empty": 0, "small": 5000, "large": e.large()} {
		if err := e.putFile(ctx, e.key(name), e.bytes(size)); err != nil {
			return err
		}
	}
	return nil
}

func (e *env) putFile(ctx context.Context, key string, data []byte) error {
	f, err := os.CreateTemp("", "backendtest-*")
	if err != nil {
		return e.skip("no temporary file to be had: " + err.Error())
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return e.skip("no temporary file to be had: " + err.Error())
	}
	// A position that is used, or moved, shows itself.
	position := int64(len(data) / 3)
	if _, err := f.Seek(position, io.SeekStart); err != nil {
		return err
	}
	body := backend.Bytes(data)
	body.File = f
	o, err := e.Put(ctx, key, body, backend.PutOptions{})
	if err != nil {
		return ruleBodyFile.broken("put of a file of %d bytes: got error %w, want success", len(data), err)
	}
	if now, err := f.Seek(0, io.SeekCurrent); err != nil || now != position {
		return ruleBodyFile.broken("position of the file after put: got %d, error %v; want %d as before", now, err, position)
	}
	return e.wantContent(ctx, ruleBodyFile, key, data, o.Tag)
}

func checkUnknownSize(ctx context.Context, e *env) error {
	if !e.Properties().UnknownSize {
		return e.refused(ctx, ruleUnknownSize, map[string]backend.Body{
			"a body of unknown size": wrongSize(e.bytes(10), -1),
		}, backend.PutOptions{}, errors.ErrUnsupported)
	}
	for name, size := range map[string]int{"empty": 0, "small": 1000, "large": e.large()} {
		key, data := e.key(name), e.bytes(size)
		o, err := e.Put(ctx, key, wrongSize(data, -1), backend.PutOptions{})
		if err != nil {
			return ruleUnknownSize.broken("put of a %s body of unknown size: got error %w, want success as declared", name, err)
		}
		if err := wantAnswer(o, key, size); err != nil {
			return err
		}
		if err := e.wantContent(ctx, ruleUnknownSize, key, data, o.Tag); err != nil {
			return err
		}
		if err := e.remove(ctx, key); err != nil {
			return err
		}
	}
	body := failing(e.bytes(1000), 500)
	body.Size = -1
	return e.refused(ctx, ruleWhole, map[string]backend.Body{"a body of unknown size that fails": body}, backend.PutOptions{})
}
