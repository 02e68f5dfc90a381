package s3proto

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

// A query asks for one page. Of after and token at most one is set.
type query struct {
	prefix string
	after  string
	token  string
}

// List implements backend.Backend. An answer out of order or out of bounds is
// an error that names the store, since a merge over it would take objects for
// absent (directory buckets of S3 Express list in no order:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html).
func (s *Store) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		q, some := firstQuery(opts)
		last := q.after
		for some || ctx.Err() != nil {
			got, err := s.page(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			if err := checkPage(got, q.prefix, last); err != nil {
				yield(nil, s.refuse("list", "", fmt.Errorf("%w: %s %w", errors.ErrUnsupported, s, err)))
				return
			}
			if n := len(got.objects); n > 0 {
				last = got.objects[n-1].Key
			}
			objects := within(got.objects, opts)
			if len(objects) > 0 && !yield(objects, nil) {
				return
			}
			if !got.truncated || opts.Until != "" && last >= opts.Until || beyond(last, opts.Prefix) {
				return
			}
			if got.token == "" || got.token == q.token && len(got.objects) == 0 {
				yield(nil, s.refuse("list", "", fmt.Errorf("%w: %s says that its listing goes on, but not where", backend.ErrUnavailable, s)))
				return
			}
			q = query{prefix: q.prefix, token: got.token}
		}
	}
}

// page gets one page: 1,000 keys, without owners.
func (s *Store) page(ctx context.Context, q query) (page, error) {
	if err := ctx.Err(); err != nil {
		return page{}, s.refuse("list", "", err)
	}
	// Keys in percent encoding survive XML, which has no way to write some.
	values := url.Values{"list-type": {"2"}, "encoding-type": {"url"}}
	for _, v := range [][2]string{{"prefix", q.prefix}, {"start-after", q.after}, {"continuation-token", q.token}} {
		if v[1] != "" {
			values.Set(v[0], v[1])
		}
	}
	res, f := s.send(ctx, &request{op: "list", method: http.MethodGet, query: values})
	if f != nil {
		err := s.settle(ctx, f)
		if errors.Is(err, fs.ErrNotExist) {
			// The bucket is there, but whatever answered has no listing of it.
			err = s.refuse("list", "", answer.Failure(backend.ErrUnavailable, f.words()))
		}
		return page{}, err
	}
	defer s.pool.Release()
	defer res.Body.Close()
	out, err := readPage(ctx, res.Body)
	if err != nil {
		return page{}, s.refuse("list", "", err)
	}
	return out, nil
}

// checkPage reports what is wrong with a page that should have keys with this
// prefix alone, all after last.
func checkPage(p page, prefix, last string) error {
	for _, o := range p.objects {
		if o.Key <= last {
			return fmt.Errorf("lists %q after %q, which is not in byte order", o.Key, last)
		}
		if !strings.HasPrefix(o.Key, prefix) {
			return fmt.Errorf("lists %q under the prefix %q", o.Key, prefix)
		}
		last = o.Key
	}
	return nil
}

// within returns the part of a page that lies in the bounds.
func within(objects []backend.Object, opts backend.ListOptions) []backend.Object {
	for len(objects) > 0 && (objects[0].Key <= opts.After || objects[0].Key < opts.Prefix) {
		objects = objects[1:]
	}
	n := len(objects)
	for n > 0 && (opts.Until != "" && objects[n-1].Key > opts.Until || beyond(objects[n-1].Key, opts.Prefix)) {
		n--
	}
	return objects[:n:n]
}

// beyond says whether a key is after every one that has the prefix.
func beyond(key, prefix string) bool { return key > prefix && !strings.HasPrefix(key, prefix) }

// firstQuery returns what to ask for first, or false where the bounds leave
// nothing. A key to start after that does not have the prefix is never sent:
// AWS takes any, MinIO refuses one (cmd/bucket-listobjects-handlers.go,
// validateListObjectsArgs). Bounds that no request can carry are cut, and the
// keys that come too many dropped.
func firstQuery(opts backend.ListOptions) (query, bool) {
	if opts.Until != "" && (opts.Until <= opts.After || opts.Until < opts.Prefix) || beyond(opts.After, opts.Prefix) {
		return query{}, false
	}
	q := query{prefix: sendable(opts.Prefix)}
	if start := sendable(opts.After); strings.HasPrefix(start, q.prefix) {
		q.after = start
	}
	return q, true
}

// sendable returns the longest beginning of a bound that is a valid key.
func sendable(bound string) string {
	for i := 0; i < len(bound); {
		r, size := utf8.DecodeRuneInString(bound[i:])
		if r == 0 || r == utf8.RuneError && size == 1 || i+size > maxKey {
			return bound[:i]
		}
		i += size
	}
	return bound
}
