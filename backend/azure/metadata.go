package azure

import (
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
)

// maxKept bounds names and values as they are stored, and maxMetadata what they
// take before they are encoded
// (https://learn.microsoft.com/en-us/rest/api/storageservices/setting-and-retrieving-properties-and-metadata-for-blob-resources).
const (
	maxKept     = 8 << 10
	maxMetadata = maxKept - usermeta.ModTimeRoom
)

// noType is written where there is no content type, since Azure would choose
// "application/octet-stream", which is one; it reads as none. It is what S3
// calls such objects.
const noType = "binary/octet-stream"

// stored are the properties of an answer, in the order of usermeta.Fields.
type stored [5]*string

// setMetadata returns m as the service keeps it, or says with
// backend.ErrInvalidMetadata why it cannot. Spaces at either end of the
// properties are lost, as in any HTTP header.
func setMetadata(m backend.Metadata) (*blob.HTTPHeaders, map[string]*string, error) {
	var kept [5]*string
	for i, f := range usermeta.Fields(&m) {
		value := strings.Trim(*f.Value, " ")
		if i := strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			return nil, nil, usermeta.Refuse("the %s %.80q is not plain ASCII", f.Name, value)
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
	if err := usermeta.CheckSize(m, maxMetadata); err != nil {
		return nil, err
	}
	size, largest, longest := 0, "", 0
	add := func(name, value string) error {
		encoded, err := encodeName(name)
		if err == nil {
			value, err = encodeValue(value)
		}
		if err != nil {
			return usermeta.Refuse("%q: %v", name, err)
		}
		if _, twice := out[encoded]; twice {
			return usermeta.Refuse("%q is given twice, as two names that differ in case alone or as the modification time too", strings.ToLower(name))
		}
		out[encoded] = &value
		size += len(encoded) + len(value)
		if len(encoded)+len(value) > longest {
			largest, longest = name, len(encoded)+len(value)
		}
		return nil
	}
	for name, value := range m.User {
		if err := add(name, value); err != nil {
			return nil, err
		}
	}
	if !m.ModTime.IsZero() {
		if err := add(backend.ModTimeKey, usermeta.FormatModTime(m.ModTime)); err != nil {
			return nil, err
		}
	}
	if size > maxKept {
		return nil, usermeta.Refuse("user metadata has %d bytes as Azure keeps it, more than %d; the longest name or value is that of %.80q", size, maxKept, largest)
	}
	return out, nil
}

// getMetadata reads what setMetadata wrote, or another program.
func getMetadata(user map[string]*string, properties *stored) backend.Metadata {
	var m backend.Metadata
	for i, f := range usermeta.Fields(&m) {
		if properties[i] != nil {
			*f.Value = usermeta.UTF8(*properties[i])
		}
	}
	if m.ContentType == noType {
		m.ContentType = ""
	}
	for encoded, p := range user {
		if p == nil {
			continue
		}
		name, value := decodeName(strings.ToLower(encoded)), usermeta.Decode(*p)
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
