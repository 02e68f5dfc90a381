package gcs

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
)

const (
	// reserved begins the keys of what this driver keeps for itself. Listings
	// leave them out, and no object can be written, read or deleted there.
	reserved = ".objrepl/"

	maxKey = 1024
)

// checkKey says why a key cannot be one
// (https://cloud.google.com/storage/docs/objects#naming).
func checkKey(key string) error {
	switch {
	case key == "" || key == "." || key == "..":
		return fmt.Errorf("%w: %q is no name", backend.ErrInvalidKey, key)
	case len(key) > maxKey:
		return fmt.Errorf("%w: %d bytes, more than %d", backend.ErrInvalidKey, len(key), maxKey)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: not UTF-8", backend.ErrInvalidKey)
	case strings.ContainsAny(key, "\r\n\x00"):
		return fmt.Errorf("%w: a line feed, a carriage return or a NUL in it", backend.ErrInvalidKey)
	case strings.HasPrefix(key, ".well-known/acme-challenge/"):
		return fmt.Errorf("%w: names under .well-known/acme-challenge/ are the store's own", backend.ErrInvalidKey)
	case strings.HasPrefix(key, reserved):
		return fmt.Errorf("%w: names under %s are this library's own", backend.ErrInvalidKey, reserved)
	}
	return nil
}
