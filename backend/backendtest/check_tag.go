package backendtest

import (
	"context"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

var tagChecks = []Check{
	{"tag-agrees", "a version has one tag in every answer", checkTagAgrees},
	{"tag-moves", "overwriting changes the tag, also within a moment and at equal size", checkTagMoves},
	{"stamp", "tag and stamp tell versions apart that have one size and mtime", checkStamp},
}

func checkTagAgrees(ctx context.Context, e *env) error {
	for name, data := range map[string][]byte{"small": []byte("abc"), "empty": nil, "large": e.bytes(e.large())} {
		key := e.key(name)
		put, err := e.put(ctx, key, data)
		if err != nil {
			return err
		}
		stat, err := e.stat(ctx, key)
		if err != nil {
			return err
		}
		opened, _, err := e.mustRead(ctx, key, backend.OpenOptions{})
		if err != nil {
			return err
		}
		ranged, _, err := e.mustRead(ctx, key, backend.OpenOptions{Offset: 1, Length: 1})
		if err != nil {
			return err
		}
		listed, err := e.list(ctx, backend.ListOptions{Prefix: key})
		if err != nil {
			return err
		}
		if len(listed) != 1 {
			return ruleListComplete.broken("list: got %s, want %q alone", e.showKeys(keysOf(listed)), key)
		}
		if put.Tag != stat.Tag || put.Tag != opened.Tag || put.Tag != ranged.Tag || put.Tag != listed[0].Tag {
			return ruleTag.broken("tag of a %s object: got %q from put, %q from stat, %q from open, %q from open of a range, %q from list; want one",
				name, put.Tag, stat.Tag, opened.Tag, ranged.Tag, listed[0].Tag)
		}
		// One that is not settled yet becomes so while the object stays as it is.
		if s := base(stat.Stamp); s != base(listed[0].Stamp) || s != base(opened.Stamp) {
			return ruleStamp.broken("stamp of a quiet object: got %q from stat, %q from open, %q from list; want one", stat.Stamp, opened.Stamp, listed[0].Stamp)
		}
		if listed[0].Size != int64(len(data)) {
			return ruleTag.broken("list: got size %d, want %d", listed[0].Size, len(data))
		}
	}
	return nil
}

// base is a stamp without what tells whether it is settled.
func base(stamp string) string { return strings.TrimSuffix(stamp, "~") }

func checkTagMoves(ctx context.Context, e *env) error {
	key := e.key("object")
	seen := map[backend.Tag]int{}
	for i := range 20 {
		data := e.bytes(64)
		o, err := e.put(ctx, key, data)
		if err != nil {
			return err
		}
		if before, ok := seen[o.Tag]; ok {
			return ruleTagMoves.broken("put %d of the same key with other content: got tag %q, as put %d did; want another", i+1, o.Tag, before+1)
		}
		seen[o.Tag] = i
	}
	return nil
}

// A file's tag is made of size, mtime and inode, all of which can come again.
func checkStamp(ctx context.Context, e *env) error {
	key := e.key("object")
	opts := backend.PutOptions{Metadata: backend.Metadata{ModTime: time.Unix(1_600_000_000, 0)}}
	var last backend.Object
	for i := range 20 {
		if _, err := e.Put(ctx, key, backend.Bytes(e.bytes(64)), opts); err != nil {
			if refusedMetadata(err) {
				return e.skip("the store does not keep modification times")
			}
			return ruleMetadata.broken("put with a modification time: got error %w, want success", err)
		}
		o, err := e.stat(ctx, key)
		if err != nil {
			return err
		}
		if i > 0 && o.Tag == last.Tag && o.Stamp == last.Stamp {
			return ruleStamp.broken("overwrite %d with other content, equal size and modification time: got tag %q and stamp %q both times; want one to differ", i, o.Tag, o.Stamp)
		}
		last = o
	}
	return nil
}
