package gcs

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

// pageSize is what the store gives at most
// (https://cloud.google.com/storage/docs/json_api/v1/objects/list).
const pageSize = 1000

// query asks for what entries of listings need, and nothing else.
func query(prefix string) *storage.Query {
	q := &storage.Query{Prefix: prefix, Projection: storage.ProjectionNoACL}
	// Fails for unknown names alone.
	_ = q.SetAttrSelection([]string{"Name", "Size", "Generation", "Metageneration", "Updated", "StorageClass", "MD5"})
	return q
}

// List implements backend.Backend: one request a page. The store's bounds are
// inclusive below and exclusive above, the other way round, so that they are
// set a little wide, and what comes too much is left out here.
func (s *Store) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		q := query(validPart(opts.Prefix))
		q.StartOffset = validPart(opts.After)
		if opts.Until != "" && len(opts.Until) < maxKey && utf8.ValidString(opts.Until) {
			q.EndOffset = opts.Until + " "
		}
		last := ""
		for attrs, err := range s.entries(ctx, q) {
			if err != nil {
				yield(nil, s.fail(ctx, "list", "", err))
				return
			}
			page := make([]backend.Object, 0, len(attrs))
			beyond := false
			for _, a := range attrs {
				if a.Name <= last {
					yield(nil, s.fail(ctx, "list", "", fmt.Errorf("%w: the answer has %q after %q", backend.ErrUnavailable, a.Name, last)))
					return
				}
				last = a.Name
				beyond = opts.Until != "" && a.Name > opts.Until
				if beyond {
					break
				}
				if a.Name > opts.After && strings.HasPrefix(a.Name, opts.Prefix) && !strings.HasPrefix(a.Name, reserved) {
					page = append(page, objectOf(a))
				}
			}
			if len(page) > 0 && !yield(page, nil) || beyond {
				return
			}
		}
	}
}

// entries yields what a query finds, a page at a time, what is reserved too.
func (s *Store) entries(ctx context.Context, q *storage.Query) iter.Seq2[[]*storage.ObjectAttrs, error] {
	return func(yield func([]*storage.ObjectAttrs, error) bool) {
		pages := iterator.NewPager(s.bucket.Objects(ctx, q), pageSize, "")
		for {
			var page []*storage.ObjectAttrs
			token, err := pages.NextPage(&page)
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(nil, listError(err))
				return
			}
			if !yield(page, nil) || token == "" {
				return
			}
		}
	}
}

// listError makes any 404 to a listing what it is: a missing bucket.
func listError(err error) error {
	var refused *googleapi.Error
	if errors.As(err, &refused) && refused.Code == http.StatusNotFound {
		return answer.Failure(backend.ErrStoreNotFound, words(refused))
	}
	return err
}

// validPart returns what of a bound can be sent: no key has the rest.
func validPart(s string) string {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			return s[:i]
		}
	}
	return s
}
