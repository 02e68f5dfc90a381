package usermeta

import (
	"fmt"
	"time"

	"github.com/objrepl/replication/backend"
)

// A Field is one of the content headers, and what metadata has of it.
type Field struct {
	Name  string // for a person
	Value *string
}

// Fields returns the content headers of m: type, encoding, language,
// disposition and cache control, in this order.
func Fields(m *backend.Metadata) [5]Field {
	return [5]Field{
		{"content type", &m.ContentType},
		{"content encoding", &m.ContentEncoding},
		{"content language", &m.ContentLanguage},
		{"content disposition", &m.ContentDisposition},
		{"cache control", &m.CacheControl},
	}
}

// Refuse returns an error that wraps backend.ErrInvalidMetadata.
func Refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", backend.ErrInvalidMetadata, fmt.Sprintf(format, args...))
}

// CheckSize refuses user metadata that has more bytes than a store takes, and
// names what takes most of them.
func CheckSize(m backend.Metadata, limit int) error {
	size := m.UserSize()
	if size <= limit {
		return nil
	}
	largest := ""
	for name, value := range m.User {
		if l := len(largest) + len(m.User[largest]); len(name)+len(value) > l || len(name)+len(value) == l && name < largest {
			largest = name
		}
	}
	return Refuse("user metadata has %d bytes, more than %d; the largest is %.80q with %d",
		size, limit, largest, len(largest)+len(m.User[largest]))
}

// ModTimeRoom is how many bytes the form of FormatModTime may have more than
// that of backend.FormatModTime, which Metadata.UserSize counts.
const ModTimeRoom = 20

// FormatModTime renders a modification time as rclone reads it in Google Cloud
// Storage and Azure: RFC 3339, unlike in S3. A time that this cannot say is in
// seconds as there. backend.ParseModTime reads both.
func FormatModTime(t time.Time) string {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return backend.FormatModTime(t)
	}
	return t.Format(time.RFC3339Nano)
}
