package s3proto

import (
	"io"
	"io/fs"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// S3 says 200 before it has completed an upload, and whether it has only in the
// document that follows.
func TestCompleteBelievesTheDocumentAndNotTheStatus(t *testing.T) {
	var answer string
	s := storeOf(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) })
	u, err := s.UploadParts(t.Context(), "k", backend.PartsOptions{ID: "x", PartSize: minPart})
	require.NoError(t, err)
	for _, c := range []struct {
		answer   string
		class    error // nil for success
		definite bool
	}{
		{"  \n<?xml version=\"1.0\"?><CompleteMultipartUploadResult><ETag>&#34;abc-2&#34;</ETag></CompleteMultipartUploadResult>", nil, false},
		{"  <Error><Code>InternalError</Code><Message>try again</Message></Error>", backend.ErrUnavailable, false},
		{"<Error><Code>PreconditionFailed</Code></Error>", backend.ErrPrecondition, true},
		{"<Error><Code>NoSuchUpload</Code></Error>", fs.ErrNotExist, true},
		{"<Error><Code>InvalidPart</Code></Error>", backend.ErrChecksum, true},
		{"<Error><Code>ConditionalRequestConflict</Code></Error>", backend.ErrUnavailable, false},
		{"", backend.ErrUnavailable, false},
		{"<CompleteMultipartUploadResult><ETag>abc", backend.ErrUnavailable, false},
		{"<CompleteMultipartUploadResult></CompleteMultipartUploadResult>", backend.ErrUnavailable, false},
		{"<html>a proxy</html>", backend.ErrUnavailable, false},
	} {
		answer = c.answer
		o, err := u.Complete(t.Context(), []backend.Part{{Number: 1, Size: 7, Tag: "a"}, {Number: 2, Size: 3, Tag: "b"}}, backend.Condition{Absent: true})
		if c.class == nil {
			require.NoError(t, err)
			require.Equal(t, backend.Object{Key: "k", Size: 10, Tag: "abc-2"}, o)
			continue
		}
		require.ErrorIs(t, err, c.class, c.answer)
		require.Equal(t, c.definite, backend.Definite(err), "%v", err)
	}
}

// A list of parts that is not whole would have parts sent again at best, and
// one that goes in circles would never end.
func TestPartsAreListedToTheirEnd(t *testing.T) {
	answers := map[string]string{
		"0": `<ListPartsResult><IsTruncated>true</IsTruncated><Part><PartNumber>1</PartNumber><ETag>"a"</ETag><Size>5</Size><ChecksumCRC32C>x</ChecksumCRC32C></Part></ListPartsResult>`,
		"1": `<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>3</PartNumber><ETag>"c"</ETag><Size>2</Size></Part></ListPartsResult>`,
	}
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, answers[r.URL.Query().Get("part-number-marker")])
	})
	u, err := s.UploadParts(t.Context(), "k", backend.PartsOptions{ID: "x", PartSize: minPart})
	require.NoError(t, err)
	parts, err := u.Parts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []backend.Part{{Number: 1, Size: 5, Tag: "a", Checksum: "x"}, {Number: 3, Size: 2, Tag: "c"}}, parts)
	for name, second := range map[string]string{
		"in circles": answers["0"],
		"empty":      `<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>`,
		"not said":   `<ListPartsResult></ListPartsResult>`,
		"cut short":  `<ListPartsResult><IsTruncated>false</IsTruncated>`,
		"another":    `<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`,
	} {
		answers["1"] = second
		_, err := u.Parts(t.Context())
		require.ErrorIs(t, err, backend.ErrUnavailable, name)
	}
}
