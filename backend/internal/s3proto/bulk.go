package s3proto

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

var _ backend.BulkDeleter = (*Store)(nil)

// maxBulkDelete is how many keys one request takes
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
const maxBulkDelete = 1000

// DeleteMany implements backend.BulkDeleter by one DeleteObjects request. The
// answer has to name every key, as deleted or with an error: what became of one
// that it does not name is not known.
func (s *Store) DeleteMany(ctx context.Context, deletions []backend.Deletion) []error {
	const op = "delete"
	errs := make([]error, len(deletions))
	asked := make([]int, 0, len(deletions))
	for i, d := range deletions {
		if err := s.refuseAmongMany(d, len(deletions)); err != nil {
			errs[i] = s.refuse(op, d.Key, err)
			continue
		}
		asked = append(asked, i)
	}
	if len(asked) == 0 {
		return errs
	}
	answers, err := s.deleteObjects(ctx, deletions, asked)
	for _, i := range asked {
		key := deletions[i].Key
		switch f, named := answers[key]; {
		case err != nil:
			errs[i] = err
		case !named:
			errs[i] = s.refuse(op, key, fmt.Errorf("%w: the answer does not say whether the object is deleted", backend.ErrUnavailable))
		case f != nil:
			errs[i] = deletionError(ctx, f, deletions[i])
		}
	}
	return errs
}

// refuseAmongMany reports why a deletion is not sent.
func (s *Store) refuseAmongMany(d backend.Deletion, among int) error {
	switch {
	case among > s.properties.MaxBulkDelete:
		return fmt.Errorf("%d deletions at once, at most %d: %w", among, s.properties.MaxBulkDelete, errors.ErrUnsupported)
	case d.IfMatch != "" && !s.properties.BulkDelete.IfMatch:
		return fmt.Errorf("delete among others on a condition: %w", errors.ErrUnsupported)
	case s.properties.CheckKey(d.Key) != nil:
		return s.properties.CheckKey(d.Key)
	case !fitsXML(d.Key):
		return fmt.Errorf("XML does not keep every key as it is, and not this one: %w", errors.ErrUnsupported)
	}
	return nil
}

// fitsXML reports whether a key comes through XML 1.0 as it is: that has no way
// to write most control characters and two others, and parsers differ in what
// they make of line ends and of spaces around a text
// (https://www.w3.org/TR/xml/#charsets).
func fitsXML(key string) bool {
	return strings.TrimSpace(key) == key && !strings.ContainsFunc(key, func(r rune) bool {
		return isControl(r) || r == 0xFFFE || r == 0xFFFF || r == utf8.RuneError
	})
}

// deleteObjects sends the deletions that are asked for. The answers are by key,
// nil for one that was deleted.
func (s *Store) deleteObjects(ctx context.Context, deletions []backend.Deletion, asked []int) (map[string]*fault, error) {
	const op = "delete"
	data := deleteDocument(deletions, asked)
	sum := md5.Sum(data) // what S3 wants of this request, to notice damage
	res, f := s.send(ctx, &request{
		op: op, method: http.MethodPost, query: url.Values{"delete": {""}},
		header: http.Header{
			"Content-Md5":  {base64.StdEncoding.EncodeToString(sum[:])},
			"Content-Type": {"application/xml"},
		},
		data: data, hash: sha256Hex(data),
	})
	if f != nil {
		err := s.settle(ctx, f)
		if errors.Is(err, fs.ErrNotExist) {
			// Of no object: whatever answered does not know such a request.
			err = s.refuse(op, "", answer.Failure(errors.ErrUnsupported, f.words()))
		}
		return nil, err
	}
	var answer struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Deleted []struct{ Key string }
		Error   []struct{ Key, Code, Message string }
	}
	if err := s.document(ctx, op, "", res, &answer); err != nil {
		return nil, err
	}
	answers := make(map[string]*fault, len(asked))
	for _, d := range answer.Deleted {
		answers[d.Key] = nil
	}
	for _, e := range answer.Error {
		answers[e.Key] = &fault{
			op: op, backend: s.config.Driver, key: e.Key, code: e.Code, message: e.Message, header: res.Header,
			status: res.StatusCode, // the deletion has none of its own
		}
	}
	return answers, nil
}

// deletionError makes the fault of one deletion an error, or none where the
// object was absent already and that is as well.
func deletionError(ctx context.Context, f *fault, d backend.Deletion) error {
	if d.IfMatch == "" && (f.code == "NoSuchKey" || f.code == "NoSuchVersion") {
		return nil
	}
	return f.error(ctx)
}

func deleteDocument(deletions []backend.Deletion, asked []int) []byte {
	type object struct {
		Key  string
		ETag string `xml:",omitempty"`
	}
	document := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ Delete"`
		Quiet   bool
		Object  []object
	}{}
	for _, i := range asked {
		o := object{Key: deletions[i].Key}
		if deletions[i].IfMatch != "" {
			o.ETag = etagOf(deletions[i].IfMatch)
		}
		document.Object = append(document.Object, o)
	}
	data, err := xml.Marshal(document)
	if err != nil {
		panic(err) // strings
	}
	return data
}
