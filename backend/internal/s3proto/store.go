package s3proto

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/pool"
)

// A Config is one bucket and the way to it.
type Config struct {
	Driver string // its name, for errors
	// Base is the URL of the bucket, in the path or in the host.
	Base *url.URL
	// Bucket is its name, or the ARN of an access point to it.
	Bucket string
	// Location is what Properties say, see Location.
	Location string
	// Sign signs a request that is complete but for the signature, whose
	// payload X-Amz-Content-Sha256 names, and returns it.
	Sign func(ctx context.Context, req *http.Request) (*http.Request, error)
	// SignHint is what a person can do about an error of Sign.
	SignHint string
	// Storage are headers that every PUT has: storage class, encryption.
	Storage http.Header
	// ExactKeys says that the store is known to keep all keys apart, see
	// CheckExactKey.
	ExactKeys bool
	// TLS is nil for the system's certificates.
	TLS *tls.Config
}

// answerTimeout: a store takes its time to commit gigabytes.
const answerTimeout = 2 * time.Minute

// A Store is one bucket; it implements backend.Backend.
type Store struct {
	config     Config
	properties backend.Properties
	pool       *pool.Pool
	atRest     atomic.Int32 // unasked, encrypts or inTheClear; see checkAtRest
}

// NewStore returns a store. It does no I/O.
func NewStore(c Config) *Store {
	base := *c.Base
	base.Path = strings.TrimRight(base.Path, "/")
	// As in the Host header, a default port is left out.
	for scheme, port := range map[string]string{"http": ":80", "https": ":443"} {
		if base.Scheme == scheme {
			base.Host = strings.TrimSuffix(base.Host, port)
		}
	}
	c.Base = &base
	checkKey := CheckExactKey
	if c.ExactKeys {
		checkKey = CheckKey
	}
	return &Store{
		config: c,
		pool:   pool.New(c.TLS, answerTimeout),
		properties: backend.Properties{
			Location:    c.Location,
			Ordered:     true,
			StartAfter:  true,
			Varies:      true, // S3 honours all of them, MinIO ignores If-Match on a DELETE
			Put:         backend.Conditions{IfAbsent: true, IfMatch: true},
			Delete:      backend.Conditions{IfMatch: true},
			Complete:    backend.Conditions{IfAbsent: true, IfMatch: true},
			BulkDelete:  backend.Conditions{IfMatch: true},
			MaxPut:      MaxPut,
			Parts:       backend.PartLimits{Min: minPart, Max: maxPart, Count: maxParts},
			CheckKey:    checkKey,
			MaxMetadata: MaxMetadata,
			CheckClass:  checkClass,
			// AWS honours a condition on each of many deletions, and on the
			// target of a copy; MinIO and versitygw ignore either silently.
			Copy:          backend.Conditions{IfAbsent: true, IfMatch: true},
			MaxBulkDelete: maxBulkDelete,
			MaxCopy:       maxCopy,
		},
	}
}

// String keeps credentials out of whatever prints a store.
func (s *Store) String() string { return s.config.Location }

// GoString is String, for %#v.
func (s *Store) GoString() string { return s.String() }

// Properties implements backend.Backend.
func (s *Store) Properties() backend.Properties { return s.properties }

// Stat implements backend.Backend.
func (s *Store) Stat(ctx context.Context, key string) (backend.Object, error) {
	if err := s.properties.CheckKey(key); err != nil {
		return backend.Object{}, s.refuse("stat", key, err)
	}
	return s.head(ctx, "stat", key)
}

// head is Stat on behalf of another operation. A 400 or 403 to a HEAD has no
// reason in it, so the same is asked as a GET, which says more: an expired token,
// a wrong clock, an impossible key.
func (s *Store) head(ctx context.Context, op, key string) (backend.Object, error) {
	r := &request{op: op, method: http.MethodHead, key: key}
	res, f := s.send(ctx, r)
	if f != nil && f.code == "" && (f.status == http.StatusBadRequest || f.status == http.StatusForbidden) {
		r := &request{op: op, method: http.MethodGet, key: key, header: http.Header{"Range": {"bytes=0-0"}}}
		answer, reason := s.send(ctx, r)
		if reason != nil {
			f = reason
		} else {
			s.discard(answer)
		}
	}
	if f != nil {
		return backend.Object{}, s.settle(ctx, f)
	}
	s.discard(res)
	o, _, err := objectOf(key, res.StatusCode, res.Header)
	if err != nil {
		return backend.Object{}, s.refuse(op, key, err)
	}
	return o, nil
}

// Delete implements backend.Backend. In a versioned bucket the DELETE names no
// version, and so adds a delete marker.
func (s *Store) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	if err := s.properties.CheckKey(key); err != nil {
		return s.refuse("delete", key, err)
	}
	r := &request{op: "delete", method: http.MethodDelete, key: key}
	if opts.IfMatch != "" {
		r.header = http.Header{"If-Match": {etagOf(opts.IfMatch)}}
	}
	res, f := s.send(ctx, r)
	if f == nil {
		s.discard(res)
		return nil
	}
	// S3 takes the deletion of an absent object for done; others say 404.
	if err := s.settle(ctx, f); opts.IfMatch != "" || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// settle is fault.error for a fault that may be a 404 which does not tell an
// absent object from an absent bucket, as that to a HEAD. Then it looks at the
// bucket. The answer is not kept, since a bucket may vanish later.
func (s *Store) settle(ctx context.Context, f *fault) error {
	if f.ambiguous() {
		res, b := s.send(ctx, &request{op: f.op, method: http.MethodHead})
		if b != nil {
			b.key = f.key
			if b.status == http.StatusNotFound {
				b.class, b.hint = backend.ErrStoreNotFound, hintBucket
			}
			return b.error(ctx)
		}
		s.discard(res)
		f.class = fs.ErrNotExist
	}
	return f.error(ctx)
}

// refuse is the error of an operation that is not sent, or whose answer cannot
// be used.
func (s *Store) refuse(op, key string, err error) error {
	e := &backend.Error{Op: op, Backend: s.config.Driver, Key: key, Err: err}
	if errors.Is(err, backend.ErrNotEncrypted) {
		e.Hint = hintInTheClear
	}
	return e
}

// Close implements backend.Backend.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}
