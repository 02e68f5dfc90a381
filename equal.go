package replication

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"strings"

	"github.com/objrepl/replication/backend"
)

// A content is one version's at one side, hashed if it was read.
type content struct {
	side   *endpoint
	key    string
	object backend.Object

	version *version // that was read; nil before
	sha256  []byte
	md5     string // only where it was wanted
}

// compare adopts the destination's object if both sides of a key have the same bytes.
// It returns false where they differ, or where a side has moved on. A side that cannot
// be read fails the object: nobody knows then that it is somebody else's.
func (p *pass) compare(ctx context.Context, d decision, there backend.Object) (outcome, bool) {
	source, same, err := p.equal(ctx, d, there)
	switch {
	case err != nil:
		return failed(err), !changed(err) && !absent(err)
	case !same:
		return outcome{}, false
	}
	return p.adopt(ctx, d, source, there), true
}

// equal finds out whether both sides of a key have the same bytes: by the checksums
// that the stores have, else by reading the side that has none, else by reading both.
// It returns the source's version as it was found.
func (p *pass) equal(ctx context.Context, d decision, there backend.Object) (*version, bool, error) {
	source := &content{side: p.source, key: d.key, object: d.source}
	destination := &content{side: p.destination, key: d.key, object: there}
	if p.sameChecksum(d.source, there) {
		return &version{object: d.source}, true, nil
	}
	first, second := source, destination
	if isMD5(d.source.Checksum) && !isMD5(there.Checksum) {
		first, second = destination, source
	}
	err := p.hash(ctx, first, isMD5(second.object.Checksum))
	if err == nil && first.md5 != "" && first.md5 == second.object.Checksum {
		if first == source {
			return source.version, true, nil
		}
		return &version{object: d.source}, true, nil
	}
	if err == nil {
		first = second
		err = p.hash(ctx, second, false)
	}
	if err != nil {
		return nil, false, first.side.wrap(err)
	}
	return source.version, bytes.Equal(source.sha256, destination.sha256), nil
}

// sameChecksum reports whether the stores' own checksums say that two objects of
// the same size have the same bytes: any checksum within one service, and an MD5
// between two.
func (p *pass) sameChecksum(source, there backend.Object) bool {
	return source.Checksum != "" && source.Checksum == there.Checksum && (p.within.copier != nil || isMD5(source.Checksum))
}

// isMD5 reports whether a store's checksum has the form of an MD5 in
// hexadecimal. It may still be none, as an ETag of S3 with a key of KMS is not
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html): so equal
// ones prove equal bytes, and others nothing.
func isMD5(checksum string) bool {
	return len(checksum) == 2*md5.Size && strings.Trim(checksum, "0123456789abcdef") == ""
}

// hash reads the version of c, and no other.
func (p *pass) hash(ctx context.Context, c *content, withMD5 bool) error {
	return p.again.call(ctx, func() error {
		object, r, err := c.side.Open(ctx, c.side.key(c.key), backend.OpenOptions{IfMatch: c.object.Tag})
		if err != nil {
			return err
		}
		defer r.Close()
		v, sum, sums := &version{object: object}, sha256.New(), md5.New()
		var to io.Writer = sum
		if withMD5 {
			to = io.MultiWriter(sum, sums)
		}
		if _, err := io.Copy(to, p.reader.wrap(ctx, v, r)); err != nil {
			return err
		}
		c.version, c.sha256 = v, sum.Sum(nil)
		if withMD5 {
			c.md5 = hexOf(sums)
		}
		return nil
	})
}

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
