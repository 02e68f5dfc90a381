package replication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/objrepl/replication/backend"
)

const (
	// trashTime names the directory of a pass, by its start in UTC.
	trashTime = "20060102T150405Z"
	// trashName is an object of a policy's state. It is there while objects may
	// be in the trash and still in their place.
	trashName    = "trash.json"
	trashVersion = 1
)

// errTrashTaken: there is something else under the key in the trash.
var errTrashTaken = errors.New("something else has the key in the trash; the next pass takes another")

// A trash is where a pass moves what it deletes: each object is copied within
// the destination's store, and deleted when that is acknowledged.
type trash struct {
	copier backend.Copier // nil where objects have to go through the client
	dir    string         // begins the keys of this pass
	// earlier is that of a pass that did not come to its end, or empty. It may
	// have copied what is still in its place.
	earlier string
}

// trashFile is what trashName holds.
type trashFile struct {
	Version   int    `json:"version"`
	Directory string `json:"directory"`
}

// openTrash chooses the directory of a pass that is about to delete: its start,
// or the first second after it under which there is nothing, since two passes
// may begin in one second.
func (p *pass) openTrash(ctx context.Context) error {
	if p.policy.TrashPrefix == "" {
		return nil
	}
	t := new(trash)
	t.copier, _ = backend.As[backend.Copier](p.destination.Backend)
	var err error
	if t.earlier, err = p.readTrashFile(ctx); err != nil {
		return err
	}
	for at := p.started.UTC(); ; at = at.Add(time.Second) {
		t.dir = p.policy.TrashPrefix + at.Format(trashTime) + "/"
		taken := false
		err := p.again.call(ctx, func() error {
			for page, err := range p.destination.Backend.List(ctx, backend.ListOptions{Prefix: t.dir}) {
				taken = len(page) > 0
				return err
			}
			return nil
		})
		if err != nil {
			return p.destination.wrap(fmt.Errorf("look for trash_prefix %q: %w", p.policy.TrashPrefix, err))
		}
		if !taken {
			break
		}
	}
	p.trash = t
	raw, err := json.Marshal(trashFile{trashVersion, t.dir})
	if err != nil {
		return err
	}
	return p.state.write(ctx, trashName, append(raw, '\n'))
}

// readTrashFile returns the directory that an earlier pass has left. A file that
// cannot be understood costs second copies in the trash and nothing else.
func (p *pass) readTrashFile(ctx context.Context) (string, error) {
	raw, _, err := p.state.read(ctx, trashName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var f trashFile
	if json.Unmarshal(raw, &f) != nil || f.Version != trashVersion {
		return "", nil
	}
	return f.Directory, nil
}

// closeTrash forgets the directory of a pass that has deleted all that it copied
// there.
func (p *pass) closeTrash(ctx context.Context) error {
	if p.trash == nil {
		return nil
	}
	return p.state.remove(ctx, trashName)
}

// toTrash copies the version that is to be deleted to the trash. Nil says that
// its copy is acknowledged. fs.ErrNotExist is that of the object itself, which
// is gone already, and ErrPrecondition says that it is another version.
func (p *pass) toTrash(ctx context.Context, r *removal) error {
	if p.trash == nil || r.trashed != "" {
		return nil
	}
	from := p.destination.key(r.Key)
	if p.trash.earlier != "" {
		same, err := p.inTrash(ctx, from, r.tag(), p.trash.earlier+r.Key)
		if same || err != nil && !errors.Is(err, errTrashTaken) {
			if same {
				r.trashed = p.trash.earlier + r.Key
			}
			return err
		}
	}
	to := p.trash.dir + r.Key
	err := p.again.call(ctx, func() error { return p.copyToTrash(ctx, from, to, r.tag()) })
	if errors.Is(err, backend.ErrPrecondition) || errors.Is(err, fs.ErrExist) {
		// The version has moved on, or an attempt whose answer was lost has
		// made the copy.
		same, look := p.inTrash(ctx, from, r.tag(), to)
		switch {
		case same:
			err = nil
		case look != nil:
			err = look
		}
	}
	if err == nil {
		r.trashed = to
	}
	return err
}

// inTrash reports whether an object, still in this version, has a copy under a
// key of the trash. Its marker proves that, as it names one write, or, of one that
// the store copied and that has none, its checksum and all of its metadata.
func (p *pass) inTrash(ctx context.Context, from string, tag backend.Tag, to string) (bool, error) {
	stat := func(key string) (o backend.Object, err error) {
		err = p.again.call(ctx, func() error {
			o, err = p.destination.Stat(ctx, key)
			return err
		})
		return o, err
	}
	there, err := stat(to)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	here, err := stat(from)
	switch {
	case err != nil:
		return false, err
	case here.Tag != tag:
		return false, backend.ErrPrecondition
	}
	copied, marked := readMarker(there.Metadata)
	original, known := readMarker(here.Metadata)
	same := marked && known && copied == original
	if !known && here.Checksum != "" {
		same = here.Checksum == there.Checksum && metadataDifference(*here.Metadata, *there.Metadata) == ""
	}
	if same && there.Size == here.Size {
		return true, nil
	}
	return false, errTrashTaken
}
