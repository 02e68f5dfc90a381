package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
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
}

// Options say where a ledger lives.
type Options struct {
	// Backend holds the manifest and the segments, under Prefix.
	Backend backend.Backend
	Prefix  string
	// Scratch is a directory on this machine for temporary files.
	Scratch string
}

// Open reads the manifest of a ledger. Where there is neither it nor a segment
// the ledger is empty. A manifest that is not what was written, or is missing, is
// ErrDamaged: the caller may then SetAside and open anew.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	l := &Ledger{files: files{backend: o.Backend, prefix: o.Prefix, scratch: o.Scratch}, manifest: &manifest{}}
	m, tag, err := l.files.readManifest(ctx)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if m != nil {
		l.manifest, l.tag = m, tag
		return l, nil
	}
	// The first writer stores a manifest before any segment, and nobody deletes it.
	there, err := l.files.list(ctx)
	if err == nil && len(there) > 0 {
		err = fmt.Errorf("%w: the manifest of %d segments is missing", ErrDamaged, len(there))
	}
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return l, nil
}

// SetAside copies a damaged manifest to where it can be looked at, whose name it
// returns, and replaces it with an empty one, so that the next pass rebuilds the
// ledger. Of a missing one there is no copy, and no name. One that another writer
// has replaced meanwhile is left as it is.
func SetAside(ctx context.Context, o Options) (string, error) {
	aside, condition := manifestName+".damaged", backend.Condition{Absent: true}
	object, r, err := o.Backend.Open(ctx, o.Prefix+manifestName, backend.OpenOptions{})
	switch {
	case isAbsent(err):
		aside = ""
	case err != nil:
		return "", err
	default:
		condition = backend.Condition{Match: object.Tag}
		data, err := io.ReadAll(io.LimitReader(r, maxManifest))
		if err = errors.Join(err, r.Close()); err != nil {
			return "", err
		}
		if _, err := o.Backend.Put(ctx, o.Prefix+aside, backend.Bytes(data), backend.PutOptions{}); err != nil {
			return "", err
		}
	}
	empty, err := (&manifest{Commit: rand.Text()}).encode()
	if err != nil {
		return "", err
	}
	// Not a deletion, whose condition some stores ignore.
	_, err = o.Backend.Put(ctx, o.Prefix+manifestName, backend.Bytes(empty), backend.PutOptions{If: condition})
	if errors.Is(err, backend.ErrPrecondition) || errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return aside, err
}

// Take makes the caller the ledger's writer, and every writer before it fail
// with ErrFenced at its next commit. holder describes the caller, for display.
// What crashed writers left behind is removed.
func (l *Ledger) Take(ctx context.Context, holder string) error {
	// What is there before this writer is the writer was stored by the ones
	// before it, who can commit it no more. A list of later, in a process that
	// was suspended meanwhile, could have segments of the next writer.
	there, err := l.files.list(ctx)
	if err == nil {
		err = l.replace(ctx, func(m *manifest) { m.Epoch++; m.Holder = holder })
	}
	if err != nil {
		return fmt.Errorf("take ledger: %w", err)
	}
	return errors.Join(l.files.sweep(ctx, there, l.current()), l.files.sweepScratch())
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
