package s3proto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

// A page is one answer to ListObjectsV2.
type page struct {
	objects   []backend.Object
	truncated bool
	token     string // where the next page begins, if truncated
}

// maxPage bounds the memory of one answer: 1,000 keys of 1,024 bytes, each
// thrice as long in percent encoding, and what stands beside them.
const maxPage = 16 << 20

var pageBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readPage reads an answer to ListObjectsV2 to its end.
//
// It does not use encoding/xml, for two reasons. That package takes most of the
// CPU time of a listing, and listings are all that an unchanged bucket costs.
// And SDKs unmarshal whatever root element comes, so that an error document or
// a proxy's page with status 200 becomes an empty and complete listing, which
// reads as "everything was deleted". Here the root has to be ListBucketResult,
// has to be closed, and has to say whether it is truncated.
func readPage(ctx context.Context, body io.Reader) (page, error) {
	buf := pageBuffers.Get().(*bytes.Buffer)
	defer pageBuffers.Put(buf)
	buf.Reset()
	n, err := buf.ReadFrom(io.LimitReader(body, maxPage+1))
	switch {
	case err != nil:
		return page{}, answer.Broken(ctx, err)
	case n > maxPage:
		return page{}, fmt.Errorf("%w: a page of the listing has more than %d bytes", backend.ErrUnavailable, maxPage)
	}
	out, err := parsePage(buf.Bytes())
	if err != nil {
		return page{}, fmt.Errorf("%w: the answer is no listing: %w", backend.ErrUnavailable, err)
	}
	return out, nil
}

// parsePage walks the elements once. What it keeps is copied out of data.
func parsePage(data []byte) (page, error) {
	var (
		out       = page{objects: make([]backend.Object, 0, 1000)}
		object    backend.Object
		class     string // the one before, as most objects have one class
		seen      struct{ key, size, truncated, done bool }
		encoded   bool
		scanner   = scanner{data: data}
		depth     int
		inContent bool
	)
	for {
		t, err := scanner.next()
		if err != nil {
			return page{}, err
		}
		switch {
		case t.kind == endOfData:
			if !seen.done || !seen.truncated {
				return page{}, errors.New("it ends early")
			}
			if encoded {
				if err := decodeKeys(out.objects); err != nil {
					return page{}, err
				}
			}
			return out, nil
		case seen.done:
			return page{}, errors.New("something follows the root element")
		case t.kind == open:
			depth++
			switch {
			case depth == 1 && string(t.name) != "ListBucketResult":
				return page{}, fmt.Errorf("the root element is %.40q", t.name)
			case depth == 2 && string(t.name) == "Contents":
				inContent, object = true, backend.Object{}
				seen.key, seen.size = false, false
			}
		case t.kind == shut:
			depth--
			text := t.text
			switch {
			case depth == 0:
				seen.done = true
			case depth == 1 && inContent:
				inContent = false
				if !seen.key || !seen.size || object.Tag == "" {
					return page{}, fmt.Errorf("%q has no key, size or ETag", object.Key)
				}
				out.objects = append(out.objects, object)
			case depth == 1:
				switch string(t.name) {
				case "IsTruncated":
					if out.truncated, err = strconv.ParseBool(string(text)); err != nil {
						return page{}, fmt.Errorf("IsTruncated is %.40q", text)
					}
					seen.truncated = true
				case "NextContinuationToken":
					if out.token, err = unescape(text); err != nil {
						return page{}, err
					}
				case "EncodingType":
					encoded = string(text) == "url"
				}
			case depth == 2 && inContent:
				switch string(t.name) {
				case "Key":
					object.Key, err = unescape(text)
					seen.key = object.Key != ""
				case "ETag":
					var etag string
					etag, err = unescape(text)
					object.Tag = tagOf(etag)
					object.Checksum = string(object.Tag)
				case "Size":
					object.Size, err = strconv.ParseInt(string(text), 10, 64)
					seen.size = object.Size >= 0
				case "StorageClass":
					if string(text) != class {
						class = string(text)
					}
					object.Class = class
				case "LastModified":
					// A hint: in another form it is none.
					object.Modified, _ = time.Parse(time.RFC3339Nano, string(text))
				}
				if err != nil {
					return page{}, fmt.Errorf("%s: %w", t.name, err)
				}
			}
		}
	}
}

// decodeKeys undoes encoding-type=url, in which a space is "+".
func decodeKeys(objects []backend.Object) error {
	for i := range objects {
		key := objects[i].Key
		if !strings.ContainsAny(key, "%+") {
			continue
		}
		decoded, err := url.QueryUnescape(key)
		if err != nil {
			return fmt.Errorf("key %q: %w", key, err)
		}
		objects[i].Key = decoded
	}
	return nil
}
