package azure

import (
	"context"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
)

var _ backend.ObjectTagger = (*Store)(nil)

// beside is what goes to the service along with the request that makes an
// object, in its own form.
type beside struct {
	headers *blob.HTTPHeaders
	user    map[string]*string
	tags    map[string]string
	tier    *blob.AccessTier
}

// beside returns what a Put wants beside the bytes, or why the service does not
// take it.
func (s *Store) beside(m backend.Metadata, tags map[string]string, class string) (b beside, err error) {
	if b.headers, b.user, err = setMetadata(m); err != nil {
		return b, err
	}
	allowed := func(r rune) bool {
		return letter(byte(r|0x20)) && r < 0x80 || r < 0x80 && digit(byte(r)) || strings.ContainsRune(" +-./:=_", r)
	}
	if err := usermeta.CheckTags(tags, allowed); err != nil {
		return b, err
	}
	b.tags, b.tier = tags, s.tier
	if class != "" {
		if err := checkTier(class); err != nil {
			return b, usermeta.Refuse("access tier %.80q: %v", class, err)
		}
		b.tier = (*blob.AccessTier)(&class)
	}
	return b, nil
}

// ObjectTags implements backend.ObjectTagger with index tags.
func (s *Store) ObjectTags(ctx context.Context, key string) (map[string]string, error) {
	const op = "read index tags"
	if err := checkKey(key); err != nil {
		return nil, refuse(op, key, err)
	}
	res, err := s.blob(key).GetTags(ctx, nil)
	if err != nil {
		return nil, failed(ctx, op, key, err)
	}
	tags := make(map[string]string, len(res.BlobTagSet))
	for _, t := range res.BlobTagSet {
		if t == nil || t.Key == nil || t.Value == nil {
			return nil, refuse(op, key, errIncomplete)
		}
		tags[*t.Key] = *t.Value
	}
	return tags, nil
}
