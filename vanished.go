package replication

import (
	"context"
	"errors"
	"fmt"

	"github.com/objrepl/replication/backend"
)

// Whereabouts are where a destination is: its location, and the volume that this is
// on, as far as the store tells (backend.Volumer).
type whereabouts struct {
	Location string `json:"location,omitempty"`
	Volume   string `json:"volume,omitempty"`
	Whole    bool   `json:"whole,omitempty"` // it is the top of the volume
}

func (e *endpoint) whereabouts(ctx context.Context) (whereabouts, error) {
	at := whereabouts{Location: e.props.Location}
	volumer, ok := backend.As[backend.Volumer](e.Backend)
	if !ok {
		return at, nil
	}
	var err error
	at.Volume, at.Whole, err = volumer.Volume(ctx)
	return at, e.wrap(err)
}

// mayMake returns where a destination is, and whether it may be made where it
// does not exist: for a policy that has nothing there, and for one that had, if
// the very volume that it was last seen on is there without it. Otherwise it may
// be out of reach, say on a file system that is not mounted. That is an error where
// the directory which it is mounted on shows, empty, in its place.
func mayMake(ctx context.Context, destination *endpoint, rows int64, lastSeen whereabouts) (whereabouts, bool, error) {
	at, err := destination.whereabouts(ctx)
	if err != nil {
		return at, false, err
	}
	if rows > 0 && lastSeen.Whole && !at.Whole && at.Location == lastSeen.Location {
		if err := destination.unmounted(ctx); err != nil {
			return at, false, err
		}
	}
	_, creates := backend.As[backend.Creator](destination.Backend)
	return at, creates && (rows == 0 || at.Volume != "" && at == lastSeen), nil
}

// unmounted fails for a destination without objects, on which a file system was
// mounted and is no more.
func (e *endpoint) unmounted(ctx context.Context) error {
	for page, err := range e.Backend.List(ctx, backend.ListOptions{}) {
		if err != nil || len(page) > 0 {
			return nil // whatever is wrong with it, the pass finds
		}
	}
	return e.wrap(fmt.Errorf("%w: no file system is mounted on it any more, and it is empty; mount it, or put a file there if this directory is to be filled", backend.ErrUnavailable))
}

// prepare makes the destination where it does not exist and may be made.
func (p *pass) prepare(ctx context.Context) error {
	at, makes, err := mayMake(ctx, p.destination, p.ledger.Rows(), p.lastSeen)
	p.at = at
	if err != nil || !makes {
		return err
	}
	if p.ledger.Rows() > 0 && p.destinationMissing(ctx) {
		p.log.Warn("the destination was removed; it is made anew, and all is copied again",
			"policy", p.policy.ID, "destination", p.destination.props.Location)
	}
	creator, _ := backend.As[backend.Creator](p.destination.Backend)
	if err := creator.Create(ctx); err != nil {
		return p.destination.wrap(err)
	}
	now, err := p.destination.whereabouts(ctx)
	if err == nil && now != at {
		err = p.destination.wrap(fmt.Errorf("%w: its file system went away while it was made", backend.ErrUnavailable))
	}
	return err
}

func (p *pass) destinationMissing(ctx context.Context) bool {
	_, err := p.destination.Stat(ctx, p.destination.key("any"))
	return errors.Is(err, backend.ErrStoreNotFound)
}

// explainMissing says what to do about a destination that is gone although the
// policy wrote there.
func (p *pass) explainMissing(ctx context.Context, err error) error {
	_, creates := backend.As[backend.Creator](p.destination.Backend)
	if !creates || !errors.Is(err, backend.ErrStoreNotFound) || p.ledger.Rows() == 0 ||
		p.lastSeen.Location != "" && p.lastSeen.Location != p.destination.props.Location || !p.destinationMissing(ctx) {
		return err
	}
	return fmt.Errorf("%w; the destination held objects of this policy and may be on a file system that is not mounted: if it is gone for good, make it, empty, and all is copied again", err)
}
