package s3proto

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func FuzzMetadataComesBack(f *testing.F) {
	f.Add("color", "blue", int64(5), int64(123456789), "text/plain")
	f.Add("a_b.c", "Grüße =?UTF-8?B?w6k=?=\r\n  ", int64(-1), int64(1), "")
	f.Add("x", strings.Repeat("日本", 40), int64(0), int64(0), "application/octet-stream")
	f.Fuzz(func(t *testing.T, name, value string, sec, nsec int64, contentType string) {
		m := backend.Metadata{ContentType: contentType, User: map[string]string{name: value}}
		if nsec != 0 {
			m.ModTime = time.Unix(sec%1e10, nsec%1e9)
		}
		h := http.Header{}
		if err := setMetadata(h, m); err != nil {
			require.ErrorIs(t, err, backend.ErrInvalidMetadata)
			return
		}
		for header, values := range h {
			for _, v := range values {
				require.Equal(t, strings.TrimSpace(v), v, header)
				require.False(t, strings.ContainsFunc(v, isControl), header)
				if strings.HasPrefix(header, metaPrefix) {
					require.False(t, strings.ContainsFunc(v, func(r rune) bool { return r > '~' }), header)
				}
			}
		}
		got := getMetadata(h)
		if want := strings.Trim(contentType, " "); want != noType {
			require.Equal(t, want, got.ContentType)
		}
		if strings.EqualFold(name, backend.ModTimeKey) {
			return
		}
		require.Equal(t, map[string]string{strings.ToLower(name): value}, got.User)
		require.True(t, m.ModTime.Equal(got.ModTime), "%v, %v", m.ModTime, got.ModTime)
	})
}

func FuzzAnyMetadataIsRead(f *testing.F) {
	f.Add("X-Amz-Meta-A", "=?UTF-8?Q?=C3=84_x?=")
	f.Add("X-Amz-Meta-Mtime", "nonsense")
	f.Add("Content-Type", "\xe4")
	f.Fuzz(func(t *testing.T, name, value string) {
		m := getMetadata(http.Header{http.CanonicalHeaderKey(name): {value}})
		for k, v := range m.User {
			require.Equal(t, strings.ToLower(k), k)
			require.True(t, utf8.ValidString(v) || !utf8.ValidString(value))
		}
	})
}

func TestMetadataThatS3CannotHoldIsRefused(t *testing.T) {
	user := func(pairs ...string) backend.Metadata {
		m := backend.Metadata{User: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			m.User[pairs[i]] = pairs[i+1]
		}
		return m
	}
	both := user("mtime", "5")
	both.ModTime = time.Unix(1, 0)
	for name, m := range map[string]backend.Metadata{
		"empty name":          user("", "x"),
		"space in name":       user("a b", "x"),
		"letter beyond ASCII": user("ä", "x"),
		"colon in name":       user("a:b", "x"),
		"names but for case":  user("Color", "1", "color", "2"),
		"value not UTF-8":     user("a", "\xff"),
		"too large":           user("name", strings.Repeat("x", 2045)),
		"two times":           both,
		"header injection":    {ContentType: "a\r\nX-Evil: 1"},
		"type not UTF-8":      {ContentDisposition: "\xff"},
	} {
		require.ErrorIs(t, setMetadata(http.Header{}, m), backend.ErrInvalidMetadata, name)
	}
	require.NoError(t, setMetadata(http.Header{}, user("name", strings.Repeat("x", 2044))))
}

func TestMetadataOfOtherProgramsIsRead(t *testing.T) {
	got := getMetadata(http.Header{
		"Content-Type":           {"binary/octet-stream"},
		"Content-Encoding":       {"aws-chunked, gzip"},
		"X-Amz-Meta-Mtime":       {"1700000000.5"},
		"X-Amz-Meta-Latin":       {"\xc4"},
		"X-Amz-Meta-Aws-Example": {"=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="},
		"X-Amz-Meta-Two":         {"a", "b"},
		"X-Amz-Request-Id":       {"no metadata"},
	})
	require.Equal(t, backend.Metadata{
		ContentEncoding: "gzip",
		ModTime:         time.Unix(1_700_000_000, 500_000_000),
		User:            map[string]string{"latin": "Ä", "aws-example": "ÄMÄZÕÑ S3", "two": "a,b"},
	}, got)

	got = getMetadata(http.Header{"X-Amz-Meta-Mtime": {"yesterday"}})
	require.True(t, got.ModTime.IsZero())
	require.Equal(t, map[string]string{"mtime": "yesterday"}, got.User)
	h := http.Header{}
	require.NoError(t, setMetadata(h, got), "what was read can be written")
	require.Equal(t, "yesterday", h.Get("X-Amz-Meta-Mtime"))
}

// Names that are headers of their own must not become those.
func TestUserMetadataIsNeverAnotherHeader(t *testing.T) {
	h := http.Header{}
	require.NoError(t, setMetadata(h, backend.Metadata{User: map[string]string{
		"cache-control": "x", "x-amz-acl": "public-read", "content-type": "evil",
	}}))
	for name := range h {
		require.True(t, name == "Content-Type" || strings.HasPrefix(name, metaPrefix), name)
	}
	require.Equal(t, noType, h.Get("Content-Type"))
}
