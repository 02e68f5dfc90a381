package s3proto

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
)

// maxKey is the longest key in bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
const maxKey = 1024

// CheckKey reports why no S3 store can hold a key, as an error that wraps
// backend.ErrInvalidKey. Servers refuse more than that, each its own (MinIO:
// segments above 255 bytes); they are asked, and their answer has the same
// class.
func CheckKey(key string) error {
	reason := ""
	switch {
	case key == "":
		reason = "it is empty"
	case len(key) > maxKey:
		reason = fmt.Sprintf("it has %d bytes, more than %d", len(key), maxKey)
	case !utf8.ValidString(key):
		reason = "it is not valid UTF-8"
	case strings.ContainsRune(key, 0):
		reason = "it contains NUL"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", backend.ErrInvalidKey, reason)
}

// CheckExactKey refuses, besides what CheckKey does, keys that a server may take
// for another key, so that a Put or Delete would hit the wrong object: MinIO
// strips a slash at the beginning, and versitygw cleans the key as a file
// system's path. S3 itself keeps them apart, and so do others; but until
// somebody has asked the very server, nothing but a refusal is safe.
func CheckExactKey(key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(key, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("%w: a server other than AWS may take it for another key, for its segment %q", backend.ErrInvalidKey, segment)
		}
	}
	return nil
}

// escapePath percent-encodes a path for a request line, byte by byte but for
// "/" and the characters that RFC 3986 calls unreserved. That is the encoding
// Signature Version 4 signs; nothing in it is cleaned, so that "a//b" and
// "a/../b" reach the server as they are.
func escapePath(path string) string {
	n := 0
	for i := range len(path) {
		if !plain(path[i]) {
			n++
		}
	}
	if n == 0 {
		return path
	}
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(path)+2*n)
	for i := range len(path) {
		if c := path[i]; plain(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(out)
}

func plain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '/' || c == '-' || c == '_' || c == '.' || c == '~'
}
