package s3proto

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

var _ backend.UploadLister = (*Store)(nil)

// uploadPage is a page of uploads. Its elements are those of
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html.
type uploadPage struct {
	XMLName      xml.Name `xml:"ListMultipartUploadsResult"`
	EncodingType string
	IsTruncated  *bool
	NextUpload   string `xml:"NextUploadIdMarker"`
	Upload       []struct {
		Key       string
		UploadID  string `xml:"UploadId"`
		Initiated string
	}
}

// ListUploads implements backend.UploadLister: one request for a thousand
// uploads. The key itself is asked for as a prefix. It comes before all other
// keys that have it as one, so that a page with one of those is the last.
// MinIO takes the prefix for a whole key anyway, and lists nothing under a
// shorter one (cmd/erasure-multipart.go, ListMultipartUploads).
func (s *Store) ListUploads(ctx context.Context, key string) ([]backend.Upload, error) {
	const op = "list uploads"
	if err := s.properties.CheckKey(key); err != nil {
		return nil, s.refuse(op, key, err)
	}
	var out []backend.Upload
	seen := map[string]bool{}
	query := url.Values{"uploads": {""}, "prefix": {key}, "max-uploads": {"1000"}, "encoding-type": {"url"}}
	for {
		page, err := s.uploadPage(ctx, op, key, query)
		if err != nil {
			return nil, err
		}
		before, beyond := len(seen), false
		for _, u := range page.Upload {
			name := u.Key
			if page.EncodingType == "url" {
				if name, err = url.QueryUnescape(u.Key); err != nil {
					return nil, s.refuse(op, key, fmt.Errorf("%w: the answer has a key that cannot be decoded", backend.ErrUnavailable))
				}
			}
			switch {
			case name > key:
				beyond = true
				continue
			case name < key:
				return nil, s.refuse(op, key, fmt.Errorf("%w: the answer has an upload of %q", backend.ErrUnavailable, name))
			case u.UploadID == "":
				return nil, s.refuse(op, key, fmt.Errorf("%w: the answer has an upload without an id", backend.ErrUnavailable))
			case seen[u.UploadID]:
				continue
			}
			seen[u.UploadID] = true
			begun, _ := time.Parse(time.RFC3339Nano, u.Initiated) // in another form it is not known
			out = append(out, backend.Upload{ID: u.UploadID, Begun: begun})
		}
		switch {
		case page.IsTruncated == nil:
			return nil, s.refuse(op, key, fmt.Errorf("%w: the answer does not say whether it is complete", backend.ErrUnavailable))
		case beyond || !*page.IsTruncated:
			return out, nil
		case len(seen) == before:
			return nil, s.refuse(op, key, fmt.Errorf("%w: the answer has nothing new and says that there is more", backend.ErrUnavailable))
		}
		// All that came were of this key, whatever marker of a key came with
		// them: MinIO sends none.
		query.Set("key-marker", key)
		query.Set("upload-id-marker", page.NextUpload)
	}
}

func (s *Store) uploadPage(ctx context.Context, op, key string, query url.Values) (page uploadPage, err error) {
	res, f := s.send(ctx, &request{op: op, method: http.MethodGet, query: query})
	if f != nil {
		f.key = key
		if err := s.settle(ctx, f); !errors.Is(err, fs.ErrNotExist) {
			return page, err
		}
		// The bucket is there, but whatever answered has no such listing.
		return page, s.refuse(op, key, answer.Failure(backend.ErrUnavailable, f.words()))
	}
	return page, s.document(ctx, op, key, res, &page)
}
