package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/objrepl/replication/backend"
)

// A Ledger is the ledger of one policy. Reading is safe at any time; updates
// need the place of the one writer, which Take gives. Its methods are safe for
// concurrent use.
type Ledger struct {
	files   files
	without map[string]bool // segments that Reread left out; never changed

	mu       sync.Mutex
	manifest *manifest   // what the last read or commit found; never changed in place
	tag      backend.Tag // of the manifest, empty while there is none
	taken    bool        // Take was called
}

// Options say where a ledger lives.
type Options struct {
	// Backend holds the manifest and the segments, under Prefix.
	Backend backend.Backend
	Prefix  string
	// Scratch is a directory on this machine for temporary files.
	Scratch string
}

// Open reads the manifest of a ledger. Where there is none the ledger is
// empty. A manifest that is not what was written is ErrDamaged: the caller may
// then SetAside and open anew.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	l := &Ledger{files: files{backend: o.Backend, prefix: o.Prefix, scratch: o.Scratch}, manifest: &manifest{}}
	m, tag, err := l.files.readManifest(ctx)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if m != nil {
		l.manifest, l.tag = m, tag
	}
	return l, nil
}

// SetAside moves a damaged manifest out of the way, to where it can be looked
// at, so that the ledger is empty and the next pass rebuilds it.
func SetAside(ctx context.Context, o Options) (string, error) {
	const aside = manifestName + ".damaged"
	_, r, err := o.Backend.Open(ctx, o.Prefix+manifestName, backend.OpenOptions{})
	if err != nil {
		return "", err
	}
	var data bytes.Buffer
	_, err = data.ReadFrom(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return "", err
	}
	if _, err := o.Backend.Put(ctx, o.Prefix+aside, backend.Bytes(data.Bytes()), backend.PutOptions{}); err != nil {
		return "", err
	}
	return aside, o.Backend.Delete(ctx, o.Prefix+manifestName, backend.DeleteOptions{})
}

// Take makes the caller the ledger's writer, and every writer before it fail
// with ErrFenced at its next commit. holder describes the caller, for display.
// What crashed writers left behind is removed.
func (l *Ledger) Take(ctx context.Context, holder string) error {
	err := l.replace(ctx, func(m *manifest) { m.Epoch++; m.Holder = holder })
	if err != nil {
		return fmt.Errorf("take ledger: %w", err)
	}
	l.mu.Lock()
	l.taken = true
	m := l.manifest
	l.mu.Unlock()
	return l.files.sweep(ctx, m)
}

// current returns the manifest, which nobody changes.
func (l *Ledger) current() *manifest {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.manifest
}

// replace writes the next manifest on condition that the present one is still
// the one that l knows.
func (l *Ledger) replace(ctx context.Context, change func(*manifest)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.manifest.clone()
	change(next)
	next.Commit = rand.Text()
	if err := next.check(); err != nil {
		return err
	}
	data, err := next.encode()
	if err != nil {
		return err
	}
	condition := backend.Condition{Match: l.tag}
	if l.tag == "" {
		condition = backend.Condition{Absent: true}
	}
	object, err := l.files.backend.Put(ctx, l.files.prefix+manifestName, backend.Bytes(data), backend.PutOptions{If: condition})
	if err != nil {
		if object, err = l.settle(ctx, next, err); err != nil {
			return err
		}
	}
	l.manifest, l.tag = next, object.Tag
	return nil
}

// settle finds out whether a manifest was written although the store said
// otherwise, or said nothing.
func (l *Ledger) settle(ctx context.Context, next *manifest, cause error) (backend.Object, error) {
	conflict := errors.Is(cause, backend.ErrPrecondition) || errors.Is(cause, fs.ErrExist)
	if backend.Definite(cause) && !conflict {
		return backend.Object{}, cause
	}
	there, tag, err := l.files.readManifest(ctx)
	switch {
	case err != nil:
		return backend.Object{}, errors.Join(cause, err)
	case there != nil && there.Commit == next.Commit:
		return backend.Object{Tag: tag}, nil
	case there != nil && tag != l.tag:
		return backend.Object{}, fmt.Errorf("%w: %s", ErrFenced, there.Holder)
	}
	return backend.Object{}, cause
}

// Found reports whether there is a manifest: one that nobody has taken yet has
// none, and neither has one that was lost altogether.
func (l *Ledger) Found() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tag != ""
}

// Rows returns the number of rows in all segments: at least the number of
// entries.
func (l *Ledger) Rows() int64 {
	m := l.current()
	return rows(m.Base) + rows(m.Delta)
}

// Splits returns at most n-1 keys that divide the ledger's keys into ranges
// (after, until] of about the same number of entries, at no cost.
func (l *Ledger) Splits(n int) []string {
	m := l.current()
	var out []string
	total, seen := rows(m.Base), int64(0)
	for i, s := range m.Base {
		seen += s.Rows
		if want := total * int64(len(out)+1) / int64(n); seen >= want && i < len(m.Base)-1 && len(out) < n-1 {
			out = append(out, string(s.Last))
		}
	}
	return out
}

// Read starts reading the entries with keys in (after, until], as they are at
// this moment; an empty until is no bound. A segment that is damaged fails
// with ErrDamaged, here or at any Next; Drop then takes it out.
func (l *Ledger) Read(ctx context.Context, after, until string) (*Cursor, error) {
	return newCursor(ctx, &l.files, l.current(), after, until)
}

// Drop takes the damaged segments that err names out of the ledger. The keys
// that they held are then unknown, or known as they were before; a pass finds
// out what became of them.
func (l *Ledger) Drop(ctx context.Context, err error) error {
	names := map[string]bool{}
	collectDamage(err, names)
	if len(names) == 0 {
		return fmt.Errorf("no segment to drop: %w", err)
	}
	return l.replace(ctx, func(m *manifest) { m.drop(names) })
}

// isAbsent reports a store's definite word that an object is not there.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) && !errors.Is(err, backend.ErrStoreNotFound)
}
