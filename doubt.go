package replication

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
	"github.com/objrepl/replication/internal/ledger"
)

// doubtName is a file in a policy's directory. While it is there, the
// destination may have objects of ours that the ledger does not know.
const doubtName = "doubt"

// A doubt remembers, beyond the process, that the ledger may lack objects that
// this policy wrote: a pass was killed, the answer to a write never came, or a
// part of the ledger was lost. What the source has is found again anyway. But
// an object that has left the source since looks like somebody else's, and
// would stay for good; so while there is doubt, a pass asks each object that
// neither the source nor the ledger knows whose it is, at one HEAD each.
type doubt struct {
	dir string // the policy's own

	// look: there was doubt before this pass, or it has lost a part of the
	// ledger.
	look atomic.Bool
	// stays: this pass leaves a doubt itself.
	stays atomic.Bool

	raise func() error // makes the file, once
}

func newDoubt(dir string) (*doubt, error) {
	d := &doubt{dir: dir}
	d.raise = sync.OnceValue(d.write)
	switch _, err := os.Stat(filepath.Join(dir, doubtName)); {
	case err == nil:
		d.look.Store(true)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	return d, nil
}

// write makes the file. It comes before the first write of a pass, since the
// process may end at any moment from then on.
func (d *doubt) write() error {
	root, err := os.OpenRoot(d.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return durable.WriteFile(root, doubtName, nil, 0o600)
}

// lost notes that the ledger has lost entries that it had.
func (d *doubt) lost() error {
	d.look.Store(true)
	return d.raise()
}

// settle ends the doubt, after a pass that has seen every key through and has
// committed what it did. That a crash brings the file back, as the directory is
// not flushed, does no harm.
func (d *doubt) settle() error {
	if d.stays.Load() {
		return nil
	}
	err := os.Remove(filepath.Join(d.dir, doubtName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// claim settles a key that neither the source nor the ledger knows: an object
// of ours is taken into the ledger, and then deleted like any other that is
// gone from the source.
func (p *pass) claim(ctx context.Context, d decision) outcome {
	if fromTrash(d.key) {
		return outcome{}
	}
	var there backend.Object
	err := p.again.call(ctx, func() (err error) {
		there, err = p.destination.Stat(ctx, p.destination.key(d.key))
		return err
	})
	switch {
	case absent(err):
		return outcome{}
	case err != nil:
		p.doubt.stays.Store(true)
		return failed(p.destination.wrap(err))
	case there.Tag != d.destination.Tag:
		p.doubt.stays.Store(true) // it moves; the next pass looks again
		return outcome{}
	}
	mk, ours := p.ownMarker(there)
	if !ours {
		return outcome{}
	}
	return outcome{entry: markedEntry(d.key, mk, there.Tag)}
}

// markedEntry is what the marker of an object says, as the ledger has it.
func markedEntry(key string, mk marker, tag backend.Tag) *ledger.Entry {
	return &ledger.Entry{
		Key: key, SourceTag: string(mk.source.tag), SourceSize: mk.source.size, SourceStamp: mk.source.stamp,
		DestinationTag: string(tag),
	}
}
