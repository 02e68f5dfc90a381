//go:build linux

package pairs

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

// A matrixObject is an object as it is written at a source. Its content follows
// from its key, its version and its size.
type matrixObject struct {
	key      string
	size     int
	version  uint64
	metadata backend.Metadata
}

func (o matrixObject) content() []byte {
	h := fnv.New64a()
	h.Write([]byte(o.key))
	var seed [32]byte
	copy(seed[:], fmt.Appendf(nil, "%x %x", h.Sum64(), o.version))
	data := make([]byte, o.size)
	_, _ = rand.NewChaCha8(seed).Read(data) // never fails
	return data
}

func (o matrixObject) same(other matrixObject) bool {
	return o.size == other.size && o.version == other.version &&
		fmt.Sprint(o.metadata) == fmt.Sprint(other.metadata) // maps print in the order of their keys
}

const (
	belowFile     = "tree/leaf" // beside an object named tree
	longSegment   = "long/segment-"
	directoryName = "slash/trailing/"
	controls      = "control/\x01\x1f"
	nonchar       = "rune/noncharacter \ufffe"
	manyFields    = "metadata/3 KiB of it"
)

// matrixParts is the size of parts, and the threshold, of the pairs in parts: the
// least that S3 takes.
const matrixParts = 5 * mib

// largeObjects are those that take the bytes of a pair: around the borders of parts
// and of the drivers' own buffers, under names that every store holds.
var largeObjects = []struct {
	key  string
	size int
}{
	{"large/20 MiB 😀.bin", 20 * mib},
	{"large/one part less a byte", matrixParts - 1}, {"large/one part", matrixParts}, {"large/one part+1%", matrixParts + 1},
	{"large/two parts less a byte é", 2*matrixParts - 1}, {"large/two parts \"é\"", 2 * matrixParts}, {"large/two parts & more", 2*matrixParts + 1},
	{"large/８ MiB less a byte", 8*mib - 1}, {"large/8 MiB", 8 * mib}, {"large/8 MiB?more=1", 8*mib + 1},
	{"large/256 KiB less a byte", 256<<10 - 1}, {"large/256 KiB", 256 << 10}, {"large/256 KiB#1", 256<<10 + 1},
	{"large/1 MiB", mib}, {"large/1 MiB+1", mib + 1}, {"large/3 MiB", 3 * mib},
}

// oddNames are mistaken for others, or not held, by one store or another.
var oddNames = []string{
	"space/a b", "space/ leading", "space/trailing ", "space/ /alone", "space/a  b",
	"percent/100%", "percent/a%2Fb%41", "percent/a%252Fb", "percent/a%zz%", "percent/a%20b", "percent/a b",
	"plus/a+b", "plus/a b", "plus/a%2Bb",
	"query/a&b=c", "query/a?b=c", "?uploads", "query/a#b", "query/a;b", "query/a=b",
	"glob/a*", "glob/[a]{b}", "quote/it's", `quote/"so"`, "quote/`so`", "xml/a<b>&amp;c", "xml/]]>",
	`backslash\name`, "colon/a:b", "pipe|name", "punctuation/!$'(),@^_", "~", "tilde/a~",
	".hidden", "dots/...", "dots/a.", "dots/b./a", "dots/..a", "dots/./a", "dots/../a", "dots/..",
	"slash//double", "/leading", directoryName,
	"control/tab\tb", "control/line\nfeed", "control/return\rb", controls, "control/delete\x7f",
	"form/\u00e9", "form/e\u0301", "form/e\u0323\u0301", "form/e\u0301\u0323",
	"width/\uff21", "width/A", "rune/日本語/テスト.txt", "rune/👩\u200d👩\u200d👧", "rune/\u202eabc\u0627", "rune/\ufeffa", nonchar,
	// Keys that have another order in UTF-16 than in bytes, also among directories.
	"order/\uff01", "order/😀", "order/\ue000/a", "order/😁/b/c", "order/z😀z", "order/z\uff01z",
	"case/Name", "case/name", "case/NAME",
	"long/" + strings.Repeat("c", 255), "long/" + strings.Repeat("é", 127), longSegment + strings.Repeat("d", 256),
	"tree", manyFields,
}

// longSegments says of a key that a segment is as long as file names may be.
func longSegments(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if len(segment) > 250 {
			return true
		}
	}
	return false
}

// deepNames have a total length: in bytes, as S3 and GCS count, and in characters,
// as Azure does.
var deepNames = []string{
	longName(1024, "k"), longName(1025, "k"), longName(1000, "é"), longName(4000, "k"),
}

func longName(characters int, char string) string {
	name := "long"
	for n := len(name); n < characters; {
		take := min(characters-n-1, 100)
		name += "/" + strings.Repeat(char, take)
		if n += take + 1; n == characters-1 {
			name, n = name+char, n+1
		}
	}
	return name
}

// matrixObjects are the objects of a source at first (round 0) and when some have
// been changed, some deleted and some added (round 1). Where the tags of a store
// are hashes of the content, a change of metadata alone shows in no listing, and
// so changes bytes too.
func matrixObjects(round int, contentTags bool) []matrixObject {
	var out []matrixObject
	for _, l := range largeObjects {
		out = append(out, matrixObject{key: l.key, size: l.size})
	}
	small := []int{0, 1, 17, 100, 1 << 10, 4 << 10, 9999, 64 << 10}
	for _, key := range append(append([]string{}, oddNames...), deepNames...) {
		out = append(out, matrixObject{key: key, size: small[len(out)%len(small)]})
	}
	for len(out) < 100 {
		out = append(out, matrixObject{key: fmt.Sprintf("plain/%d", len(out)), size: small[len(out)%len(small)]})
	}
	for i := range out {
		out[i].metadata = matrixMetadata(out[i].key, i)
	}
	if round == 0 {
		return out
	}
	var after []matrixObject
	for i, o := range out {
		switch {
		case o.key == "tree" || longSegments(o.key):
			// The one is there to have the other below it refused. versitygw cannot
			// replace the others: see matrixStores.
		case i%10 == 3:
			o.version++
			o.size += 1000
		case i%10 == 5: // of the same size
			o.version++
			o.size = max(o.size, 1)
		case i%10 == 6:
			// Over an object that is there, fake-gcs-server composes one with that one's
			// fields (internal/backend/memory.go, ComposeObject), Google Cloud Storage
			// with those of the request:
			// https://cloud.google.com/storage/docs/json_api/v1/objects/compose
			if o.size < matrixParts {
				o.metadata.ContentLanguage = "cy"
			}
			o.metadata.User = map[string]string{"changed": "1"}
			if contentTags {
				o.version++
				o.size = max(o.size, 1)
			}
		case i == 9: // below the border of parts, and an odd one above
			o.version, o.size = 1, 100
		case i == 20:
			o.version, o.size = 1, matrixParts+7
		case i%10 == 8:
			continue
		}
		after = append(after, o)
	}
	for i, key := range []string{belowFile, "added/é", "added/e\u0301", "added/\uff01", "added/😀", "added/a b+c%41", "added/\\", "Added/1", "added/two parts", "added/empty"} {
		o := matrixObject{key: key, size: 100 * (9 - i), metadata: matrixMetadata(key, i)}
		if key == "added/two parts" {
			o.size = 2 * matrixParts
		}
		after = append(after, o)
	}
	return after
}

func matrixMetadata(key string, i int) backend.Metadata {
	m := backend.Metadata{ModTime: time.Unix(1_600_000_000+int64(i)*86_400, int64(i)*1_234_567).UTC()}
	switch i % 6 {
	case 0:
		m.ContentType = "text/plain; charset=utf-8"
	case 1:
		m.ContentType, m.ContentEncoding, m.ContentLanguage = "application/octet-stream", "gzip", "de, en"
		m.ContentDisposition, m.CacheControl = `attachment; filename="a b.txt"`, "max-age=60, no-transform"
		m.User = map[string]string{
			"plain": "value", "with-dash": "two  spaces", "with_underscore": " at its ends ", "with.dot": "é 日本 😀",
			"7digit": "=?UTF-8?B?eA==?=", "quoted": `"a", 'b' \ %20 +`, "x_2dy": "an escape of another's",
		}
	case 2:
		m.ModTime = time.Unix(-1_000_000, 500_000_000).UTC() // before 1970
		m.User = map[string]string{"of": "before 1970"}
	case 3:
		m.User = map[string]string{"long": strings.Repeat("0123456789", 100)}
	case 4:
		m.ModTime = time.Time{} // nobody knows
	}
	if key == manyFields {
		m.User = map[string]string{}
		for i := range 30 {
			m.User[fmt.Sprintf("field-%02d", i)] = strings.Repeat("v", 92)
		}
	}
	return m
}
