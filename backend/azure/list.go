package azure

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/objrepl/replication/backend"
)

// List implements backend.Backend: one request for up to 5,000 objects. A page
// out of order or out of bounds is an error that names the store, since a merge
// over it would take objects for absent. So is a directory: accounts with a
// hierarchical namespace list in the order of paths.
func (s *Store) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		none := opts.Until != "" && (opts.Until <= opts.After || opts.Until < opts.Prefix) ||
			opts.After > opts.Prefix && !strings.HasPrefix(opts.After, opts.Prefix)
		if none && ctx.Err() == nil {
			return
		}
		last := ""
		list := lister(func(prefix string) iter.Seq2[[]backend.Object, error] { return s.pages(ctx, prefix) })
		for page, err := range list.inByteOrder(sendable(opts.Prefix), maxHeld) {
			var within []backend.Object
			for _, o := range page {
				if last != "" && o.Key <= last {
					err = refuse("list", "", fmt.Errorf("%w: %s lists %q after %q", errors.ErrUnsupported, s, o.Key, last))
					break
				}
				last = o.Key
				if o.Key > opts.After && strings.HasPrefix(o.Key, opts.Prefix) && (opts.Until == "" || o.Key <= opts.Until) {
					within = append(within, o)
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if len(within) > 0 && !yield(within, nil) {
				return
			}
			if opts.Until != "" && last >= opts.Until {
				return
			}
		}
	}
}

// pages yields what the service lists, in its order.
func (s *Store) pages(ctx context.Context, prefix string) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		options := &container.ListBlobsFlatOptions{}
		if prefix != "" {
			options.Prefix = &prefix
		}
		for {
			res, err := s.container.NewListBlobsFlatPager(options).NextPage(ctx)
			if err != nil {
				yield(nil, failed(ctx, "list", "", err))
				return
			}
			page, err := objectsOf(&res, prefix)
			if err != nil {
				yield(nil, refuse("list", "", fmt.Errorf("%s: %w", s, err)))
				return
			}
			if len(page) > 0 && !yield(page, nil) {
				return
			}
			if *res.NextMarker == "" {
				return
			}
			if len(page) == 0 && options.Marker != nil && *options.Marker == *res.NextMarker {
				yield(nil, refuse("list", "", fmt.Errorf("%w: %s says that its listing goes on, but not where", backend.ErrUnavailable, s)))
				return
			}
			options.Marker = res.NextMarker
		}
	}
}

// objectsOf reads a page. The SDK takes an empty answer for an empty listing, so
// that what every listing has is asked for.
func objectsOf(res *container.ListBlobsFlatResponse, prefix string) ([]backend.Object, error) {
	if res.ServiceEndpoint == nil || res.Segment == nil || res.NextMarker == nil {
		return nil, fmt.Errorf("%w: the answer is no listing", backend.ErrUnavailable)
	}
	page := make([]backend.Object, 0, len(res.Segment.BlobItems))
	for _, b := range res.Segment.BlobItems {
		if b == nil || b.Name == nil || b.Properties == nil || b.Properties.ContentLength == nil || b.Properties.ETag == nil {
			return nil, errIncomplete
		}
		if kind := b.Properties.ResourceType; kind != nil && *kind == "directory" {
			return nil, fmt.Errorf("%w: %q is a directory; an account with a hierarchical namespace does not list in the order of keys", errors.ErrUnsupported, *b.Name)
		}
		if !strings.HasPrefix(*b.Name, prefix) {
			return nil, fmt.Errorf("%w: it lists %q under the prefix %q", errors.ErrUnsupported, *b.Name, prefix)
		}
		o := backend.Object{Key: *b.Name, Size: *b.Properties.ContentLength, Tag: tagOf(b.Properties.ETag), Checksum: checksumOf(b.Properties.ContentMD5)}
		if b.Properties.AccessTier != nil {
			o.Class = string(*b.Properties.AccessTier)
		}
		if b.Properties.LastModified != nil {
			o.Modified = *b.Properties.LastModified
		}
		page = append(page, o)
	}
	return page, nil
}
