package replication

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"

	"github.com/objrepl/replication/backend"
)

// markerKey is the user metadata that a written object carries to say whose it
// is. docs/FORMAT.md specifies its value.
const markerKey = backend.ReservedPrefix + "marker"

const markerVersion = "2"

// A marker names the policy that wrote an object, the source version that it
// holds, the one write operation that made it, and the place that was written to.
// The operation tells our own write whose answer was lost from everybody else's. The
// place tells an object from a copy of it that somebody made elsewhere, marker and
// all, as stores do that copy by themselves.
type marker struct {
	policy    string
	source    fingerprint
	operation string
	place     string // see markedPlace
}

// markedPlace names a key of a store. The server's own name is no part of it, since a
// store may be reached under several.
func markedPlace(location, key string) string {
	if _, rest, ok := strings.Cut(location, "://"); ok {
		location = rest
		if _, path, ok := strings.Cut(rest, "/"); ok {
			location = path
		}
	}
	sum := sha256.Sum256([]byte(location + "\x00" + key))
	return hex.EncodeToString(sum[:6])
}

// marker is that of a write of this pass under a key of the destination.
func (p *pass) marker(key string, source backend.Object, operation string) marker {
	return marker{p.policy.ID, fingerprintOf(source), operation, markedPlace(p.destination.props.Location, key)}
}

// A fingerprint identifies one source version.
type fingerprint struct {
	size  int64
	tag   backend.Tag
	stamp string
}

func fingerprintOf(o backend.Object) fingerprint {
	return fingerprint{size: o.Size, tag: o.Tag, stamp: o.Stamp}
}

func (m marker) String() string {
	return strings.Join([]string{
		markerVersion,
		url.QueryEscape(m.policy),
		strconv.FormatInt(m.source.size, 10),
		url.QueryEscape(string(m.source.tag)),
		url.QueryEscape(m.source.stamp),
		m.operation,
		m.place,
	}, " ")
}

// readMarker returns the marker of an object at the destination. An object
// without one, or with one that this version cannot read, is not known to be
// ours.
func readMarker(m *backend.Metadata) (marker, bool) {
	if m == nil {
		return marker{}, false
	}
	parts := strings.Split(m.User[markerKey], " ")
	if len(parts) != 7 || parts[0] != markerVersion {
		return marker{}, false
	}
	policy, err1 := url.QueryUnescape(parts[1])
	size, err2 := strconv.ParseInt(parts[2], 10, 64)
	tag, err3 := url.QueryUnescape(parts[3])
	stamp, err4 := url.QueryUnescape(parts[4])
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return marker{}, false
	}
	return marker{
		policy:    policy,
		source:    fingerprint{size: size, tag: backend.Tag(tag), stamp: stamp},
		operation: parts[5],
		place:     parts[6],
	}, true
}

// travelling returns the metadata of a source object as it goes on to the
// destination: names that are reserved belong to the object they were found on
// and stay behind.
func travelling(m *backend.Metadata) backend.Metadata {
	if m == nil {
		return backend.Metadata{}
	}
	out := m.Clone()
	for name := range out.User {
		if strings.HasPrefix(name, backend.ReservedPrefix) {
			delete(out.User, name)
		}
	}
	return out
}

// mark adds the marker to metadata, unless it would not fit: ownership then
// rests on the ledger alone.
func mark(m backend.Metadata, mk marker, limit int) backend.Metadata {
	value := mk.String()
	if limit > 0 && m.UserSize()+len(markerKey)+len(value) > limit {
		return m
	}
	if m.User == nil {
		m.User = make(map[string]string, 1)
	}
	m.User[markerKey] = value
	return m
}
