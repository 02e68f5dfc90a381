package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

const (
	manifestName = "manifest"
	// manifestMagic begins the first line of a manifest; the format version,
	// the CRC-32C of the rest and its length follow.
	manifestMagic = "objrepl-ledger"
	// maxManifest bounds a manifest in bytes: a million segments.
	maxManifest = 256 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A manifest says what the ledger consists of.
type manifest struct {
	// Epoch grows by one with every writer that takes the ledger over.
	Epoch uint64 `json:"epoch"`
	// Commit is unguessable and new in every manifest, so that a writer whose
	// answer was lost recognises its own.
	Commit string `json:"commit"`
	// Holder describes the writer, for display.
	Holder string `json:"holder,omitempty"`
	// Base is in key order without overlaps, Delta in the order of commits.
	Base  []segmentInfo `json:"base"`
	Delta []segmentInfo `json:"delta"`
}

// segmentInfo is what the manifest says of a segment.
type segmentInfo struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	Size   int64  `json:"size"`
	CRC32C uint32 `json:"crc32c"`
	// First and Last are keys, which need not be UTF-8.
	First []byte `json:"first"`
	Last  []byte `json:"last"`
	// Gone counts the rows that remove a key.
	Gone int64 `json:"gone,omitempty"`
}

// overlaps reports whether the segment has keys in (after, until]; an empty
// until is no bound.
func (s segmentInfo) overlaps(after, until string) bool {
	return (string(s.Last) > after || after == "") && (until == "" || string(s.First) <= until)
}

// meets reports whether two segments share a part of the key space.
func (s segmentInfo) meets(o segmentInfo) bool {
	return bytes.Compare(s.First, o.Last) <= 0 && bytes.Compare(o.First, s.Last) <= 0
}

func (m *manifest) clone() *manifest {
	c := *m
	c.Base, c.Delta = slices.Clone(m.Base), slices.Clone(m.Delta)
	return &c
}

func (m *manifest) encode() ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return append(manifestHead(body), body...), nil
}

func manifestHead(body []byte) []byte {
	return fmt.Appendf(nil, "%s %s %08x %d\n", manifestMagic, formatVersion, crc32.Checksum(body, castagnoli), len(body))
}

// decodeManifest is the inverse of encode. Anything that was not written whole
// is ErrDamaged; a later version is not, and is refused.
func decodeManifest(data []byte) (*manifest, error) {
	damaged := func(format string, args ...any) (*manifest, error) {
		return nil, fmt.Errorf("%w: manifest: %s", ErrDamaged, fmt.Sprintf(format, args...))
	}
	head := data[:bytes.IndexByte(data, '\n')+1]
	body := data[len(head):]
	rest, ok := bytes.CutPrefix(head, []byte(manifestMagic+" "))
	if !ok {
		return damaged("it begins with %.40q", data)
	}
	if version, _, _ := bytes.Cut(rest, []byte(" ")); isLater(string(version)) {
		return nil, fmt.Errorf("ledger manifest has format version %s; this program reads version %s", version, formatVersion)
	}
	if want := manifestHead(body); !bytes.Equal(head, want) {
		return damaged("first line %.80q, want %q", head, want)
	}
	m := new(manifest)
	if err := json.Unmarshal(body, m); err != nil {
		return damaged("%v", err)
	}
	return m, m.check()
}

// check holds a manifest against what every writer keeps to.
func (m *manifest) check() error {
	seen := map[string]bool{}
	for i, s := range slices.Concat(m.Base, m.Delta) {
		switch {
		case !isSegmentName(s.Name) || seen[s.Name]:
			return fmt.Errorf("%w: manifest: segment name %q", ErrDamaged, s.Name)
		case s.Rows < 1 || s.Size < 1 || s.Gone < 0 || s.Gone > s.Rows || bytes.Compare(s.First, s.Last) > 0:
			return fmt.Errorf("%w: manifest: segment %s has impossible numbers", ErrDamaged, s.Name)
		case i > 0 && i < len(m.Base) && bytes.Compare(m.Base[i-1].Last, s.First) >= 0:
			return fmt.Errorf("%w: manifest: base segments %s and %s overlap", ErrDamaged, m.Base[i-1].Name, s.Name)
		}
		seen[s.Name] = true
	}
	return nil
}

// add takes a new segment in. One that lies apart from all others and removes
// nothing extends the base; any other lies over it as a delta.
func (m *manifest) add(s segmentInfo) {
	apart := s.Gone == 0 && !slices.ContainsFunc(m.Base, s.meets) && !slices.ContainsFunc(m.Delta, s.meets)
	if !apart {
		m.Delta = append(m.Delta, s)
		return
	}
	i, _ := slices.BinarySearchFunc(m.Base, s, func(a, b segmentInfo) int { return bytes.Compare(a.First, b.First) })
	m.Base = slices.Insert(m.Base, i, s)
}

// drop removes the named segments.
func (m *manifest) drop(names map[string]bool) {
	gone := func(s segmentInfo) bool { return names[s.Name] }
	m.Base = slices.DeleteFunc(m.Base, gone)
	m.Delta = slices.DeleteFunc(m.Delta, gone)
}

// names returns the names of all segments.
func (m *manifest) names() (names []string) {
	for _, s := range slices.Concat(m.Base, m.Delta) {
		names = append(names, s.Name)
	}
	return names
}

// rows counts the rows of segments.
func rows(segments []segmentInfo) (n int64) {
	for _, s := range segments {
		n += s.Rows
	}
	return n
}

// ErrFenced: another writer has taken the ledger over.
var ErrFenced = errors.New("another writer has taken over")
