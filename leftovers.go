package replication

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

// A leftover is what a probe makes at the store. It is written down before and
// forgotten once it is removed, so that the next pass removes what a crash left.
type leftover struct {
	Key    string `json:"key"`
	Upload string `json:"upload,omitempty"`
	// Forbidden: there is no permission to remove it. It stays, and the next
	// probe takes the same object.
	Forbidden bool `json:"forbidden,omitempty"`
}

// remember puts l into the place of what was left under its key.
func (f *probeFile) remember(l leftover) {
	f.forget(l.Key)
	f.Left = append(f.Left, l)
}

func (f *probeFile) forget(key string) {
	f.Left = slices.DeleteFunc(f.Left, func(l leftover) bool { return l.Key == key })
}

// newProbe prepares a probe under the policy's prefix.
func (g *guards) newProbe(f *probeFile) *conditionProbe {
	uploader, _ := backend.As[backend.PartUploader](g.destination.Backend)
	p := &conditionProbe{endpoint: g.destination, again: g.again, uploader: uploader, key: g.destination.key(newProbeName())}
	for _, l := range f.Left {
		if strings.HasPrefix(l.Key, g.destination.prefix) && l.Upload == "" {
			p.key, p.there = l.Key, true
		}
	}
	return p
}

// clean removes what a probe has made, or notes that it is left.
func (g *guards) clean(ctx context.Context, p *conditionProbe, f *probeFile) {
	err := p.clean(ctx)
	if err == nil {
		f.forget(p.key)
		return
	}
	l := leftover{Key: p.key, Forbidden: errors.Is(err, fs.ErrPermission)}
	if p.upload != nil {
		l.Upload = p.upload.ID()
	}
	f.remember(l)
	g.log.Warn("could not remove what asking the store for its conditions has made; a later pass tries again, unless it is forbidden",
		"store", g.state.location, "key", p.key, "error", err)
}

// sweepWait is how long a sweep waits for a probe; whoever probes cleans up
// itself.
const sweepWait = 100 * time.Millisecond

// sweep removes what probes that were cut short left under the policy's prefix,
// and in the state directory. Where they left nothing it costs no request.
func (g *guards) sweep(ctx context.Context) error {
	if !g.destination.props.Varies || ctx.Err() != nil {
		return nil
	}
	left := func(f probeFile) bool {
		return slices.ContainsFunc(f.Left, g.sweeps)
	}
	if f, err := g.state.read(); err != nil || !left(f) && len(g.state.unfinished()) == 0 {
		return err
	}
	unlock, err := g.state.lock(ctx, sweepWait)
	if errors.Is(err, errProbed) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range g.state.unfinished() { // of nobody, as the lock is ours
		if err := g.state.root.Remove(name); err != nil {
			return errors.Join(err, unlock())
		}
	}
	f, err := g.state.read()
	if err != nil || !left(f) {
		return errors.Join(err, unlock())
	}
	for _, l := range slices.Clone(f.Left) {
		if !g.sweeps(l) {
			continue
		}
		p := g.newProbe(&f)
		p.key, p.there = l.Key, true
		if l.Upload != "" && p.uploader != nil {
			p.upload, err = p.uploader.UploadParts(ctx, l.Key, backend.PartsOptions{ID: l.Upload, PartSize: p.partSize()})
			if err != nil && !absent(err) {
				return errors.Join(err, unlock())
			}
		}
		g.clean(ctx, p, &f)
	}
	return errors.Join(g.state.write(f), unlock())
}

func (g *guards) sweeps(l leftover) bool {
	return !l.Forbidden && strings.HasPrefix(l.Key, g.destination.prefix)
}
