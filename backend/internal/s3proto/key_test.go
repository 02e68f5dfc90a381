package s3proto

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestCheckKeyRefusesWhatS3CannotHold(t *testing.T) {
	for _, key := range []string{"", strings.Repeat("k", 1025), "a\xff", "a\x00b", strings.Repeat("é", 513)} {
		require.ErrorIs(t, CheckKey(key), backend.ErrInvalidKey, "%q", key)
	}
	for _, key := range []string{"a", "/", "a/", "a//b", "../a", ".", strings.Repeat("k", 1024), "\x01", "a+b%20", " "} {
		require.NoError(t, CheckKey(key), "%q", key)
	}
}

func TestCheckExactKeyRefusesWhatServersMistake(t *testing.T) {
	for _, key := range []string{"", "/", "/a", "//a", "a//b", "a//", ".", "..", "./a", "../a", "a/.", "a/..", "a/./b", "a/../", "./"} {
		require.ErrorIs(t, CheckExactKey(key), backend.ErrInvalidKey, "%q", key)
	}
	for _, key := range []string{"a", "a/", "a/b", ".a", "a.", "...", "a/.b/..c", "a/b/"} {
		require.NoError(t, CheckExactKey(key), "%q", key)
	}
}

func FuzzEscapedPathsComeBack(f *testing.F) {
	f.Add("a b+c%2F/../ä\x01~")
	f.Fuzz(func(t *testing.T, path string) {
		escaped := escapePath(path)
		back, err := url.PathUnescape(escaped)
		require.NoError(t, err)
		require.Equal(t, path, back)
		require.Empty(t, strings.Trim(escaped, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~/%"))
		// Only then does net/url send it as it is.
		u := url.URL{Path: path, RawPath: escaped}
		if strings.HasPrefix(path, "/") {
			require.Equal(t, escaped, u.EscapedPath())
		}
	})
}
