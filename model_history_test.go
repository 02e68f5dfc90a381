package replication

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/objrepl/replication/backend"
)

// A sourceVersion is one version that a key of a source had. Data and metadata
// name it, so that a mix of two is recognised.
type sourceVersion struct {
	index int
	data  string
	meta  backend.Metadata
	tag   backend.Tag
	stamp string
}

// A sourceHistory is what one key of a source went through.
type sourceHistory struct {
	versions []*sourceVersion
	present  bool
	// absentUntil is the last moment at which the key was absent, while it is
	// present.
	absentUntil int
}

// current returns the version that is there now, or nil.
func (h *sourceHistory) current() *sourceVersion {
	if !h.present {
		return nil
	}
	return h.versions[len(h.versions)-1]
}

// find returns the version that a fingerprint names.
func (h *sourceHistory) find(f fingerprint) *sourceVersion {
	for _, v := range h.versions {
		if v.tag == f.tag && v.stamp == f.stamp && int64(len(v.data)) == f.size {
			return v
		}
	}
	return nil
}

// newest returns the newest version with exactly this content.
func (h *sourceHistory) newest(data string, meta backend.Metadata) *sourceVersion {
	for _, v := range slices.Backward(h.versions) {
		if v.data == data && sameMetadata(travelling(&v.meta), meta) {
			return v
		}
	}
	return nil
}

// had reports whether some version had these bytes.
func (h *sourceHistory) had(data string) bool {
	return slices.ContainsFunc(h.versions, func(v *sourceVersion) bool { return v.data == data })
}

func sameMetadata(a, b backend.Metadata) bool {
	if !maps.Equal(a.User, b.User) {
		return false
	}
	a.User, b.User = nil, nil
	return reflect.DeepEqual(a, b)
}

// Authors of destination objects beside the replicators.
const (
	authorForeign = "somebody"
	// authorRestore put back, bytes, metadata and all, what the policy wrote
	// before: nobody can tell it from the policy's own.
	authorRestore = "restore"
)

// A destinationVersion is one version that a key of the destination had.
type destinationVersion struct {
	key    string
	tag    backend.Tag
	author string
	data   string
	meta   backend.Metadata
	source *sourceVersion // of which it is a copy; nil for a foreign one
	at     int            // when it became visible
}

// foreignTo reports whether a policy has no claim on the object by having
// written it.
func (d *destinationVersion) foreignTo(policy string) bool {
	return d.author != authorRestore && d.author != policy ||
		d.author == authorRestore && policy != modelPolicy
}

func (d *destinationVersion) String() string {
	if d == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s by %s", brief(d.data), d.author)
}

// brief makes large content readable.
func brief(data string) string {
	if cut := strings.IndexByte(data, '+'); cut >= 0 {
		return fmt.Sprintf("%s(%d bytes)", data[:cut], len(data))
	}
	return data
}
