package s3proto

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
)

var _ backend.ObjectTagger = (*Store)(nil)

// ObjectTags implements backend.ObjectTagger.
func (s *Store) ObjectTags(ctx context.Context, key string) (map[string]string, error) {
	const op = "read object tags"
	if err := s.properties.CheckKey(key); err != nil {
		return nil, s.refuse(op, key, err)
	}
	res, f := s.send(ctx, &request{op: op, method: http.MethodGet, key: key, query: url.Values{"tagging": {""}}})
	switch {
	case f != nil && f.code == "NoSuchTagSet":
		return nil, nil
	case f != nil:
		return nil, s.settle(ctx, f)
	}
	var answer struct {
		XMLName xml.Name `xml:"Tagging"`
		TagSet  struct {
			Tag []struct{ Key, Value string }
		}
	}
	if err := s.document(ctx, op, key, res, &answer); err != nil {
		return nil, err
	}
	tags := make(map[string]string, len(answer.TagSet.Tag))
	for _, t := range answer.TagSet.Tag {
		tags[t.Key] = t.Value
	}
	return tags, nil
}

// setBeside adds the headers of object tags and storage class, as they go along
// with the request that makes the object.
func setBeside(h http.Header, tags map[string]string, class string) error {
	allowed := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" +-=._:/@", r)
	}
	if err := usermeta.CheckTags(tags, allowed); err != nil {
		return err
	}
	if len(tags) > 0 {
		values := make(url.Values, len(tags))
		for name, value := range tags {
			values.Set(name, value)
		}
		h["X-Amz-Tagging"] = []string{strings.ReplaceAll(values.Encode(), "+", "%20")}
	}
	if class == "" {
		return nil
	}
	if err := checkClass(class); err != nil {
		return usermeta.Refuse("storage class %.80q: %v", class, err)
	}
	h[classHeader] = []string{class}
	return nil
}

const (
	classHeader = "X-Amz-Storage-Class"
	// standardClass is the one that answers to GET and HEAD leave out
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
	standardClass = "STANDARD"
)

// checkClass leaves it to the server at hand which classes there are.
func checkClass(class string) error {
	if class == "" || strings.Trim(class, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		return errors.New("S3 writes its classes in capitals, such as STANDARD_IA")
	}
	return nil
}

// besideOf reads what an answer to GET or HEAD says of class and object tags.
func besideOf(h http.Header, o *backend.Object) {
	if o.Class = h.Get(classHeader); o.Class == "" {
		o.Class = standardClass
	}
	o.ObjectTags, _ = strconv.Atoi(h.Get("X-Amz-Tagging-Count")) // 0 where it says nothing
}
