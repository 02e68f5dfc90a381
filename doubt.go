package replication

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/objrepl/replication/internal/durable"
	"github.com/objrepl/replication/internal/ledger"
)

// doubtName is a file in a policy's directory that stands there from before
// the first write of a pass until the ledger knows of all of them. A pass that
// finds it cannot tell from the ledger alone which objects are the policy's.
const doubtName = "unfinished"

// A doubt says whether the destination may hold objects that the policy wrote
// and that its ledger does not know: those of a pass that was killed, or whose
// answer was lost for good. While such an object is at the source too, it is
// recognised anyway; once it is gone there, nobody would ever delete it.
type doubt struct {
	dir     string // the policy's own
	found   bool   // when the pass began
	raising sync.Once
	failure error       // to raise it; set by raising
	stays   atomic.Bool // the pass itself left something open
}

// newDoubt looks what the pass before left.
func newDoubt(dir string) (*doubt, error) {
	_, err := os.Stat(filepath.Join(dir, doubtName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &doubt{dir: dir, found: err == nil}, nil
}

// raise makes sure, before anything is written, that a crash leaves the doubt.
func (d *doubt) raise() error {
	d.raising.Do(func() {
		if d.found {
			return
		}
		root, err := os.OpenRoot(d.dir)
		if err != nil {
			d.failure = err
			return
		}
		d.failure = errors.Join(durable.WriteFile(root, doubtName, nil, 0o600), root.Close())
	})
	return d.failure
}

// settle ends the doubt after a pass that went through both listings, once its
// ledger is on disk. A file that comes back after a crash costs one more look.
func (d *doubt) settle() error {
	if d.stays.Load() {
		return nil
	}
	if err := os.Remove(filepath.Join(d.dir, doubtName)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// claim settles an object that neither the source nor the ledger knows, in a
// pass that is in doubt: one that carries the policy's marker is taken into
// the ledger, and the next pass deals with it like with any other.
func (p *pass) claim(ctx context.Context, d decision) outcome {
	err := p.again.call(ctx, func() (err error) {
		d.destination, err = p.destination.Stat(ctx, p.destination.key(d.key))
		return err
	})
	switch {
	case absent(err):
		return outcome{}
	case err != nil:
		p.doubt.stays.Store(true)
		return failed(p.destination.wrap(err))
	}
	if mk, ours := p.ownMarker(d.destination); ours {
		return outcome{entry: markedEntry(d.key, mk, string(d.destination.Tag))}
	}
	return outcome{}
}

// markedEntry is what the marker of an object says, as the ledger has it.
func markedEntry(key string, mk marker, tag string) *ledger.Entry {
	return &ledger.Entry{
		Key: key, SourceTag: string(mk.source.tag), SourceSize: mk.source.size, SourceStamp: mk.source.stamp,
		DestinationTag: tag,
	}
}
