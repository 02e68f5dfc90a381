package probe

import (
	"context"
	"io"
	"iter"
	"net/http/httptrace"
	"sync/atomic"

	"github.com/objrepl/replication/backend"
)

// A Cost is what a probe asks of a store.
type Cost struct {
	// Requests are those of the store's protocol, whoever sent them, or the calls
	// of a store without one, such as a directory.
	Requests int64 `json:"requests"`
	// BytesWritten and BytesRead are the content of objects.
	BytesWritten int64 `json:"bytes_written"`
	BytesRead    int64 `json:"bytes_read"`
}

// A meter counts what a store is asked: requests of HTTP where they are sent, by
// the context that they carry, since one call may take several of them.
type meter struct{ requests, calls, written, read atomic.Int64 }

func (m *meter) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { m.requests.Add(1) },
	})
}

func (m *meter) cost() Cost {
	c := Cost{Requests: m.requests.Load(), BytesWritten: m.written.Load(), BytesRead: m.read.Load()}
	if c.Requests == 0 {
		c.Requests = m.calls.Load()
	}
	return c
}

// wrap returns b with its calls counted. Those of rare capabilities are not.
func (m *meter) wrap(b backend.Backend) backend.Backend {
	s := metered{b, m}
	if uploader, ok := backend.As[backend.PartUploader](b); ok {
		return meteredUploader{s, uploader}
	}
	return s
}

type metered struct {
	backend.Backend
	m *meter
}

func (s metered) Unwrap() backend.Backend { return s.Backend }

func (s metered) Stat(ctx context.Context, key string) (backend.Object, error) {
	s.m.calls.Add(1)
	return s.Backend.Stat(ctx, key)
}

func (s metered) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	s.m.calls.Add(1)
	o, r, err := s.Backend.Open(ctx, key, opts)
	if err == nil {
		r = countedReader{r, &s.m.read}
	}
	return o, r, err
}

func (s metered) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	s.m.calls.Add(1)
	o, err := s.Backend.Put(ctx, key, body, opts)
	if err == nil {
		s.m.written.Add(o.Size)
	}
	return o, err
}

func (s metered) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	s.m.calls.Add(1)
	return s.Backend.Delete(ctx, key, opts)
}

func (s metered) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		s.m.calls.Add(1) // one page, of nearly every listing here
		s.Backend.List(ctx, opts)(yield)
	}
}

type meteredUploader struct {
	metered
	uploader backend.PartUploader
}

func (s meteredUploader) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	s.m.calls.Add(1)
	u, err := s.uploader.UploadParts(ctx, key, opts)
	if err != nil {
		return nil, err
	}
	return meteredUpload{u, s.m}, nil
}

type meteredUpload struct {
	backend.PartUpload
	m *meter
}

func (u meteredUpload) Unwrap() backend.PartUpload { return u.PartUpload }

func (u meteredUpload) Put(ctx context.Context, number int, body backend.Body) (backend.Part, error) {
	u.m.calls.Add(1)
	p, err := u.PartUpload.Put(ctx, number, body)
	if err == nil {
		u.m.written.Add(p.Size)
	}
	return p, err
}

func (u meteredUpload) Parts(ctx context.Context) ([]backend.Part, error) {
	u.m.calls.Add(1)
	return u.PartUpload.Parts(ctx)
}

func (u meteredUpload) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	u.m.calls.Add(1)
	return u.PartUpload.Complete(ctx, parts, c)
}

func (u meteredUpload) Abort(ctx context.Context) error {
	u.m.calls.Add(1)
	return u.PartUpload.Abort(ctx)
}

type countedReader struct {
	io.ReadCloser
	n *atomic.Int64
}

func (r countedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.n.Add(int64(n))
	return n, err
}
