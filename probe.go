package replication

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

// A conditionProbe asks a store which conditions it honours, by requests on one
// object that is nobody's: it writes two versions, and then tries what a
// condition on absence, or on the first of them, has to prevent. The object is
// removed at the end, whatever happens.
//
// Of a store that honours everything it takes 4 PUT and 2 DELETE to ask about
// objects. About uploads in parts it takes 2 PUT, an upload of one part, 3
// attempts to complete it, and 1 DELETE; about deletions in bulk 2 PUT and 2 of
// these; about copies 2 PUT, 5 copies onto another object, and 2 DELETE.
type conditionProbe struct {
	*endpoint
	again retrier
	key   string
	// began is told a key before it is written, and the id of an upload before it
	// gets a part.
	began func(key, id string) error

	writes         int
	there          bool // the object may exist
	first, current backend.Tag
	upload         backend.PartUpload // not complete
	uploader       backend.PartUploader
	part           backend.Part
	target         *conditionProbe // another object, that this one is copied onto
}

// probeName begins the last part of a probe's key, and that of a Trial's prefix;
// so many characters of rand.Text follow. docs/FORMAT.md specifies it.
const (
	probeName   = ".objrepl-probe-"
	probeRandom = 26
)

func newProbeName() string { return probeName + rand.Text()[:probeRandom] }

// isProbe reports whether a key is that of a probe, or of what a Trial writes, of
// whatever policy. Passes see no such key on either side: it is there for a
// moment, or a leftover.
func isProbe(key string) bool {
	for {
		_, rest, found := strings.Cut(key, probeName)
		if !found {
			return false
		}
		if name, _, _ := strings.Cut(rest, "/"); len(name) == probeRandom {
			return true
		}
		key = rest
	}
}

// probeText is in the objects, for those who find one.
const probeText = "objrepl asks with this object which conditions the store honours. It is safe to delete. %d\n"

// cleanTime bounds the removal of a probe's object, which goes on when the pass
// was cancelled.
const cleanTime = 10 * time.Second

// objects asks about Put and Delete. An error says that the probe could not be
// carried through; what there is no permission for is merely unknown.
func (p *conditionProbe) objects(ctx context.Context) (a answers, err error) {
	declared := conditionsOf(p.props)
	a.Put, a.Delete = declared.put, declared.delete
	if err := p.twoVersions(ctx, &a.Put); err != nil {
		return a, err
	}
	if a.Put.Absent == "" {
		if a.Put.Absent, err = p.heed(p.put(ctx, backend.Condition{Absent: true})); err != nil {
			return a, err
		}
	}
	if a.Put.Match == "" {
		if a.Put.Match, err = p.heed(p.put(ctx, backend.Condition{Match: p.first})); err != nil {
			return a, err
		}
	}
	if a.Delete.Match == "" {
		a.Delete.Match, err = p.deletes(ctx, p.delete)
	}
	return a, err
}

// parts asks about PartUpload.Complete, of a store whose Put is known.
func (p *conditionProbe) parts(ctx context.Context, put guard) (a answers, err error) {
	a.Complete = conditionsOf(p.props).complete
	if err := p.twoVersions(ctx, &put); err != nil {
		return a, err
	}
	if a.Complete.Absent == "" {
		if a.Complete.Absent, err = p.heed(p.complete(ctx, backend.Condition{Absent: true})); err != nil {
			return a, err
		}
	}
	if a.Complete.Match == "" {
		if a.Complete.Match, err = p.heed(p.complete(ctx, backend.Condition{Match: p.first})); err != nil {
			return a, err
		}
	}
	if a.Complete.Match == answerHonoured {
		a.Complete.Match, err = p.holds(ctx, p.complete, backend.Condition{Match: p.current})
	}
	return a, err
}

// inBulk asks about DeleteMany, of a store whose Put is known.
func (p *conditionProbe) inBulk(ctx context.Context, put guard) (a answers, err error) {
	a.Bulk = conditionsOf(p.props).bulk
	bulk, ok := backend.As[backend.BulkDeleter](p.Backend)
	if !ok || a.Bulk.Match != "" {
		return a, nil
	}
	if err := p.twoVersions(ctx, &put); err != nil {
		return a, err
	}
	a.Bulk.Match, err = p.deletes(ctx, func(ctx context.Context, tag backend.Tag) error {
		err := p.again.call(ctx, func() error {
			return bulk.DeleteMany(ctx, []backend.Deletion{{Key: p.key, IfMatch: tag}})[0]
		})
		if err == nil || absent(err) {
			p.there = false
		}
		return err
	})
	return a, err
}

// copies asks about Copier.Copy, of a store whose Put is known.
func (p *conditionProbe) copies(ctx context.Context, put guard) (a answers, err error) {
	declared := conditionsOf(p.props)
	a.Copy, a.From = declared.copy, declared.from
	copier, ok := backend.As[backend.Copier](p.Backend)
	if !ok {
		a.From = answerNone
		return a, nil
	}
	if err := p.twoVersions(ctx, &put); err != nil {
		return a, err
	}
	t := &conditionProbe{endpoint: p.endpoint, again: p.again, key: p.endpoint.key(newProbeName())}
	if err := p.began(t.key, ""); err != nil {
		return a, err
	}
	p.target = t
	from := func(tag backend.Tag) func(context.Context, backend.Condition) error {
		return func(ctx context.Context, c backend.Condition) error {
			return t.again.call(ctx, func() error {
				o, err := copier.Copy(ctx, p.key, t.key, backend.CopyOptions{FromMatch: tag, If: c})
				t.there = t.there || !backend.Definite(err) || o.Tag != ""
				if err == nil {
					t.current = o.Tag
				}
				return err
			})
		}
	}
	request := from(p.current)
	if a.Copy.Absent == "" {
		if a.Copy.Absent, err = t.holds(ctx, request, backend.Condition{Absent: true}); err != nil {
			return a, err
		}
	}
	if a.Copy.Absent != answerHonoured {
		err = request(ctx, backend.Condition{})
	} else {
		a.Copy.Absent, err = p.heed(request(ctx, backend.Condition{Absent: true}))
	}
	if err != nil {
		return a, err
	}
	if a.Copy.Match == "" {
		if a.Copy.Match, err = p.heed(request(ctx, backend.Condition{Match: p.first})); err != nil {
			return a, err
		}
	}
	if a.Copy.Match == answerHonoured {
		if a.Copy.Match, err = t.holds(ctx, request, backend.Condition{Match: t.current}); err != nil {
			return a, err
		}
	}
	a.From, err = p.heed(from(p.first)(ctx, backend.Condition{}))
	return a, err
}

// twoVersions writes the object twice, on conditions that hold. It notes in g
// what the store refuses even then, and else leaves open what it was.
func (p *conditionProbe) twoVersions(ctx context.Context, g *guard) error {
	write := func(a *answer, c backend.Condition) error {
		if *a == "" || *a == answerHonoured {
			found, err := p.holds(ctx, p.put, c)
			if err != nil {
				return err
			}
			if found == answerHonoured {
				return nil
			}
			*a = found
		}
		return p.put(ctx, backend.Condition{})
	}
	if err := write(&g.Absent, backend.Condition{Absent: true}); err != nil {
		return err
	}
	p.first = p.current
	if err := write(&g.Match, backend.Condition{Match: p.first}); err != nil {
		return err
	}
	if p.first == p.current {
		return fmt.Errorf("two versions of %q have the same tag %q", p.key, p.first)
	}
	return nil
}

// holds makes a request on a condition that holds. If the store says that it
// does not, it is asked why: an earlier attempt whose answer was lost, or an
// earlier probe's object, is not the store's fault.
func (p *conditionProbe) holds(ctx context.Context, request func(context.Context, backend.Condition) error, c backend.Condition) (answer, error) {
	err := request(ctx, c)
	if err == nil {
		return answerHonoured, nil
	}
	a, err := answerOf(err)
	if err != nil || a != answerHonoured {
		return a, err
	}
	there, err := p.stat(ctx)
	switch {
	case absent(err) && c.Absent, err == nil && there.Tag == c.Match:
		return answerRefused, nil
	case err != nil:
		return answerUnknown, err
	}
	p.there, p.current = true, there.Tag
	return answerHonoured, nil
}

// heed is the answer to a request whose condition does not hold. That it is
// forbidden is an answer too, if not to the question.
func (p *conditionProbe) heed(err error) (answer, error) {
	if err == nil {
		return answerIgnored, nil
	}
	a, err := answerOf(err)
	if errors.Is(err, fs.ErrPermission) {
		return answerUnknown, nil
	}
	return a, err
}

// answerOf classes how a request failed that would succeed without its
// condition. An answer that is no refusal of any known kind still is one, since
// all else that is wrong with the request has a class.
func answerOf(err error) (answer, error) {
	passes := backend.Retryable(err) || outOfReach(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case errors.Is(err, backend.ErrPrecondition), errors.Is(err, fs.ErrExist):
		return answerHonoured, nil
	case errors.Is(err, errors.ErrUnsupported), !passes && !backend.Definite(err):
		return answerRefused, nil
	}
	return answerUnknown, err
}

// deletes asks whether a deletion keeps to the version that it names.
func (p *conditionProbe) deletes(ctx context.Context, remove func(context.Context, backend.Tag) error) (answer, error) {
	a, err := p.heed(remove(ctx, p.first))
	if err != nil || a != answerHonoured {
		return a, err
	}
	err = remove(ctx, p.current)
	if err == nil || absent(err) { // or the answer of an attempt was lost
		return answerHonoured, nil
	}
	if a, err := p.heed(err); err != nil || a != answerHonoured {
		return a, err
	}
	switch there, err := p.stat(ctx); {
	case absent(err):
		p.there = false
		return answerHonoured, nil
	case err == nil && there.Tag == p.current:
		return answerRefused, nil
	default:
		return answerUnknown, err
	}
}
