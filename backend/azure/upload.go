package azure

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/objrepl/replication/backend"
)

// Azure has no uploads, only blocks that no commit has named yet, and those of
// all writers of a key lie together. An upload here is what its blocks' ids say:
// they begin with its token. Its metadata comes to the service at the commit
// alone, so the id carries it to whoever goes on.

// uploadVersion is that of the form of ids.
const uploadVersion = "1"

// uploadOptions are what the object of an upload is to have beside its bytes.
type uploadOptions struct {
	metadata backend.Metadata
	tags     map[string]string
	class    string
}

// newUploadID returns "1.<token>.<metadata>".
func newUploadID(token [16]byte, with uploadOptions) (string, error) {
	m := with.metadata
	record := uploadMetadata{m.ContentType, m.ContentEncoding, m.ContentLanguage, m.ContentDisposition, m.CacheControl, "", m.User, with.tags, with.class}
	if !m.ModTime.IsZero() {
		record.ModTime = backend.FormatModTime(m.ModTime)
	}
	data, err := json.Marshal(record)
	return strings.Join([]string{uploadVersion, hex.EncodeToString(token[:]), base64.RawURLEncoding.EncodeToString(data)}, "."), err
}

// uploadMetadata is the metadata of an upload in its id.
type uploadMetadata struct {
	Type        string            `json:"type,omitempty"`
	Encoding    string            `json:"encoding,omitempty"`
	Language    string            `json:"language,omitempty"`
	Disposition string            `json:"disposition,omitempty"`
	Cache       string            `json:"cache,omitempty"`
	ModTime     string            `json:"mtime,omitempty"`
	User        map[string]string `json:"user,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Class       string            `json:"tier,omitempty"`
}

// parseUploadID reads an id. One of another form names no upload.
func parseUploadID(id string) (token [16]byte, with uploadOptions, err error) {
	none := fmt.Errorf("no upload %.80q: %w", id, fs.ErrNotExist)
	fields := strings.Split(id, ".")
	if len(fields) != 3 || fields[0] != uploadVersion {
		return token, with, none
	}
	raw, err := hex.DecodeString(fields[1])
	if err != nil || copy(token[:], raw) != len(token) || len(raw) != len(token) {
		return token, with, none
	}
	var record uploadMetadata
	data, err := base64.RawURLEncoding.DecodeString(fields[2])
	if err != nil || json.Unmarshal(data, &record) != nil {
		return token, with, none
	}
	m := backend.Metadata{
		ContentType: record.Type, ContentEncoding: record.Encoding, ContentLanguage: record.Language,
		ContentDisposition: record.Disposition, CacheControl: record.Cache, User: record.User,
	}
	if record.ModTime != "" {
		var t time.Time
		if t, err = backend.ParseModTime(record.ModTime); err != nil {
			return token, with, none
		}
		m.ModTime = t
	}
	return token, uploadOptions{m, record.Tags, record.Class}, nil
}

// A stagedPart is a part that the service has whole.
type stagedPart struct {
	backend.Part
	blocks []string // in their order
}

// stagedParts reads what the blocks of a key say of one upload: its parts by
// number, of each what was put last and is complete, and whether it is there.
func stagedParts(token [16]byte, list *blockblob.BlockList) (parts map[int]stagedPart, there bool) {
	type version struct {
		number uint32
		stamp  int64
	}
	type block struct {
		blockID
		name string
		size int64
	}
	blocks := map[version][]block{}
	for _, b := range list.UncommittedBlocks {
		if b == nil || b.Name == nil || b.Size == nil {
			continue
		}
		id, ok := parseBlockID(*b.Name)
		switch {
		case !ok || id.upload != token:
		case id.number > 0:
			v := version{id.number, id.stamp}
			blocks[v] = append(blocks[v], block{id, *b.Name, *b.Size})
		case id.index == noteAborted:
			return nil, false
		default:
			there = true
		}
	}
	parts = map[int]stagedPart{}
	for _, v := range slices.SortedFunc(maps.Keys(blocks), func(a, b version) int { return cmp.Compare(a.stamp, b.stamp) }) {
		of := blocks[v]
		slices.SortFunc(of, func(a, b block) int { return cmp.Compare(a.index, b.index) })
		part := stagedPart{Part: backend.Part{Number: int(v.number), Tag: partTag(v.stamp)}}
		for i, b := range of {
			if int(b.index) != i || b.last != (i == len(of)-1) {
				part.blocks = nil
				break
			}
			part.blocks = append(part.blocks, b.name)
			part.Size += b.size
		}
		if part.blocks != nil {
			parts[part.Number] = part // a later one replaces an earlier one
		}
	}
	return parts, there
}

func partTag(stamp int64) backend.Tag { return backend.Tag(strconv.FormatInt(stamp, 36)) }
