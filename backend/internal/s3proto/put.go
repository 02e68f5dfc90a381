package s3proto

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"

	"github.com/objrepl/replication/backend"
)

// Put implements backend.Backend.
func (s *Store) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	if err := s.properties.CheckKey(key); err != nil {
		return backend.Object{}, s.refuse("put", key, err)
	}
	header, err := s.writeHeader(opts)
	if err != nil {
		return backend.Object{}, s.refuse("put", key, err)
	}
	p, err := newPayload(ctx, body)
	if err != nil {
		return backend.Object{}, s.refuse("put", key, err)
	}
	defer p.close()
	r := &request{op: "put", method: http.MethodPut, key: key, header: header, ask: p.size >= continueBody}
	s.load(r, p)
	res, f := s.send(ctx, r)
	if f != nil {
		s.explainBreak(ctx, f, p, opts.If)
		f.blameClass(opts.Class)
		return backend.Object{}, putError(ctx, f, p, opts.If)
	}
	s.discard(res)
	o := backend.Object{Key: key, Size: p.size, Tag: tagOf(res.Header.Get("ETag"))}
	if o.Tag == "" {
		return o, s.refuse("put", key, fmt.Errorf("%w: the answer has no ETag", backend.ErrUnavailable))
	}
	return o, s.checkAtRest(ctx, "put", key, res.Header)
}

// writeHeader is putHeader for a store that encrypts as it was asked to, as far as
// that is known.
func (s *Store) writeHeader(opts backend.PutOptions) (http.Header, error) {
	if s.atRest.Load() == inTheClear {
		return nil, backend.ErrNotEncrypted
	}
	return s.putHeader(opts)
}

// putHeader returns the headers that say what is stored beside the bytes, how,
// and on which condition, or why they cannot be sent.
func (s *Store) putHeader(opts backend.PutOptions) (http.Header, error) {
	h, err := conditionHeader(opts.If)
	if err != nil {
		return nil, err
	}
	if err := setMetadata(h, opts.Metadata); err != nil {
		return nil, err
	}
	maps.Copy(h, s.config.Storage)
	return h, setBeside(h, opts.ObjectTags, opts.Class)
}

// explainBreak looks why a connection broke amid a body that was sent on a
// condition: a server may answer that it does not hold and close, and that
// answer is lost in the break (versitygw; it also lets the body come whatever
// the condition). Less than the whole body has left, so nothing was written, and
// what the object is now decides.
func (s *Store) explainBreak(ctx context.Context, f *fault, p *payload, cond backend.Condition) {
	if f.status != 0 || f.unsent != nil || cond == (backend.Condition{}) || p.err() != nil || ctx.Err() != nil || !p.unfinished() {
		return
	}
	switch o, err := s.head(ctx, f.op, f.key); {
	case err == nil && (cond.Absent || o.Tag != cond.Match),
		cond.Match != "" && errors.Is(err, fs.ErrNotExist):
		f.status = http.StatusPreconditionFailed
	}
}

// putError makes the fault of a PUT an error. What was wrong with the body goes
// before what the connection said about it, and an ended context before both.
func putError(ctx context.Context, f *fault, p *payload, cond backend.Condition) error {
	if err := p.err(); err != nil && ctx.Err() == nil {
		return &backend.Error{Op: f.op, Backend: f.backend, Key: f.key, Err: err}
	}
	e := f.error(ctx)
	switch {
	case cond.Absent && errors.Is(e.Err, backend.ErrPrecondition):
		e.Err = fmt.Errorf("%w: %w", fs.ErrExist, e.Err)
	case cond.Match != "" && errors.Is(e.Err, fs.ErrNotExist):
		// S3 answers If-Match for an absent object with NoSuchKey.
		e.Err = fmt.Errorf("%w: the object is absent", backend.ErrPrecondition)
	}
	return e
}

// load makes a payload the body of a request, with a checksum that the server
// holds it against: of a small one in the header, of a large one behind it.
func (s *Store) load(r *request, p *payload) {
	if p.data == nil {
		r.body, r.length = newChunked(p, r.header)
		r.hash = streamingHash
		return
	}
	r.header[checksumHeader] = []string{p.checksum}
	r.data, r.hash = p.data, unsignedHash
	if s.config.Base.Scheme == "http" {
		r.hash = p.sha256()
	}
}
