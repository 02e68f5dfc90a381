package azure

import (
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/objrepl/replication/backend"
)

// maxMetadata bounds names and values as they are stored, and so what they take
// before they are encoded
// (https://learn.microsoft.com/en-us/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources).
const maxMetadata = 8 << 10

// noType is written where there is no content type, since Azure would choose
// "application/octet-stream", which is one; it reads as none. It is what S3
// calls such objects.
const noType = "binary/octet-stream"

// stored are the properties of an answer, in the order of fields.
type stored [5]*string

type field struct {
	name  string
	value *string
}

func fields(m *backend.Metadata) [5]field {
	return [5]field{
		{"content type", &m.ContentType},
		{"content encoding", &m.ContentEncoding},
		{"content language", &m.ContentLanguage},
		{"content disposition", &m.ContentDisposition},
		{"cache control", &m.CacheControl},
	}
}

// setMetadata returns m as the service keeps it, or says with
// backend.ErrInvalidMetadata why it cannot. Spaces at either end of the
// properties are lost, as in any HTTP header.
func setMetadata(m backend.Metadata) (*blob.HTTPHeaders, map[string]*string, error) {
	var kept [5]*string
	for i, f := range fields(&m) {
		value := strings.Trim(*f.value, " ")
		if i := strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			return nil, nil, invalid("the %s is not plain ASCII", f.name)
		}
		if i == 0 && value == "" {
			value = noType
		}
		if value != "" {
			kept[i] = &value
		}
	}
	user, err := encodeUser(m)
	if err != nil {
		return nil, nil, err
	}
	return &blob.HTTPHeaders{
		BlobContentType: kept[0], BlobContentEncoding: kept[1], BlobContentLanguage: kept[2],
		BlobContentDisposition: kept[3], BlobCacheControl: kept[4],
	}, user, nil
}

func encodeUser(m backend.Metadata) (map[string]*string, error) {
	out := make(map[string]*string, len(m.User)+1)
	size := 0
	add := func(name, value string) error {
		encoded, err := encodeName(name)
		if err == nil {
			value, err = encodeValue(value)
		}
		if err != nil {
			return invalid("%q: %v", name, err)
		}
		if _, twice := out[encoded]; twice {
			return invalid("%q is given twice, as two names that differ in case alone or as the modification time too", strings.ToLower(name))
		}
		out[encoded] = &value
		size += len(encoded) + len(value)
		return nil
	}
	for name, value := range m.User {
		if err := add(name, value); err != nil {
			return nil, err
		}
	}
	if !m.ModTime.IsZero() {
		if err := add(backend.ModTimeKey, backend.FormatModTime(m.ModTime)); err != nil {
			return nil, err
		}
	}
	if size > maxMetadata {
		return nil, invalid("user metadata has %d bytes as Azure keeps it, more than %d", size, maxMetadata)
	}
	return out, nil
}

// getMetadata reads what setMetadata wrote, or another program.
func getMetadata(user map[string]*string, properties *stored) backend.Metadata {
	var m backend.Metadata
	for i, f := range fields(&m) {
		if properties[i] != nil {
			*f.value = strings.ToValidUTF8(*properties[i], "\ufffd")
		}
	}
	if m.ContentType == noType {
		m.ContentType = ""
	}
	for encoded, p := range user {
		if p == nil {
			continue
		}
		name, value := decodeName(strings.ToLower(encoded)), decodeValue(*p)
		if name == backend.ModTimeKey {
			if t, err := backend.ParseModTime(value); err == nil {
				m.ModTime = t
				continue
			}
		}
		if m.User == nil {
			m.User = make(map[string]string, len(user))
		}
		m.User[name] = value
	}
	return m
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", backend.ErrInvalidMetadata, fmt.Sprintf(format, args...))
}
