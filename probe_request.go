package replication

import (
	"context"
	"errors"
	"fmt"

	"github.com/objrepl/replication/backend"
)

func (p *conditionProbe) put(ctx context.Context, c backend.Condition) error {
	p.writes++
	body := backend.Bytes(fmt.Appendf(nil, probeText, p.writes))
	return p.again.call(ctx, func() error {
		o, err := p.Put(ctx, p.key, body, backend.PutOptions{If: c})
		p.there = p.there || !backend.Definite(err) || o.Tag != ""
		if err == nil {
			p.current = o.Tag
		}
		return err
	})
}

func (p *conditionProbe) delete(ctx context.Context, tag backend.Tag) error {
	err := p.again.call(ctx, func() error { return p.Delete(ctx, p.key, backend.DeleteOptions{IfMatch: tag}) })
	if err == nil || absent(err) {
		p.there = false
	}
	return err
}

func (p *conditionProbe) stat(ctx context.Context) (o backend.Object, err error) {
	err = p.again.call(ctx, func() error {
		o, err = p.Stat(ctx, p.key)
		return err
	})
	return o, err
}

// complete completes an upload of one part, which it begins unless an earlier
// attempt has left one.
func (p *conditionProbe) complete(ctx context.Context, c backend.Condition) error {
	if p.upload == nil {
		if err := p.begin(ctx); err != nil {
			return err
		}
	}
	err := p.again.call(ctx, func() error {
		o, err := p.upload.Complete(ctx, []backend.Part{p.part}, c)
		if err == nil {
			p.upload, p.current = nil, o.Tag
		}
		return err
	})
	if absent(err) { // of an upload: an attempt whose answer was lost may have ended it
		if there, statErr := p.stat(ctx); statErr == nil && there.Tag != p.current {
			p.upload, p.current, err = nil, there.Tag, nil
		}
	}
	return err
}

func (p *conditionProbe) begin(ctx context.Context) error {
	p.writes++
	body := backend.Bytes(fmt.Appendf(nil, probeText, p.writes))
	err := p.again.call(ctx, func() (err error) {
		p.upload, err = p.uploader.UploadParts(ctx, p.key, backend.PartsOptions{PartSize: p.partSize()})
		return err
	})
	if err != nil {
		return err
	}
	if err := p.began(p.key, p.upload.ID()); err != nil {
		return err
	}
	return p.again.call(ctx, func() (err error) {
		p.part, err = p.upload.Put(ctx, 1, body)
		return err
	})
}

// partSize is that of the probe's upload, which has less than one part.
func (p *conditionProbe) partSize() int64 { return p.props.Parts.Size(1, 4<<10) }

// clean removes what the probe made. It takes a context of its own, since the
// pass may have been cancelled.
func (p *conditionProbe) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	var errs []error
	if p.upload != nil {
		errs = append(errs, p.again.call(ctx, func() error { return p.upload.Abort(ctx) }))
	}
	if p.there {
		if err := p.delete(ctx, ""); !absent(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
