package s3proto

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestCopyNamesItsSourceAndBelievesTheDocument(t *testing.T) {
	var (
		got    *http.Request
		answer string
		status = http.StatusOK
	)
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			got = r
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
		}
	})
	s.config.Bucket = "bucket"
	s.config.Storage = http.Header{"X-Amz-Storage-Class": {"STANDARD_IA"}}
	s.properties.Copy = backend.Conditions{IfAbsent: true}
	try := func() (backend.Object, error) {
		return s.Copy(t.Context(), "dir/a b+c?versionId=1", "trash/x", backend.CopyOptions{FromMatch: "t-1", If: backend.Condition{Absent: true}})
	}
	answer = "  \n<CopyObjectResult><ETag>&quot;t-2&quot;</ETag></CopyObjectResult>"
	o, err := try()
	require.NoError(t, err)
	require.Equal(t, backend.Object{Key: "trash/x", Tag: "t-2"}, o)
	require.Equal(t, "/bucket/trash/x", got.RequestURI)
	for name, want := range map[string]string{
		"X-Amz-Copy-Source": "bucket/dir/a%20b%2Bc%3FversionId%3D1", "X-Amz-Copy-Source-If-Match": `"t-1"`, "If-None-Match": "*",
		"X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Metadata-Directive": "", "Content-Type": "",
	} {
		require.Equal(t, want, got.Header.Get(name), name)
	}
	for _, c := range []struct {
		status int
		answer string
		class  error
	}{
		{200, "<Error><Code>InternalError</Code></Error>", backend.ErrUnavailable},
		{200, "", backend.ErrUnavailable},
		{200, "<CopyObjectResult></CopyObjectResult>", backend.ErrUnavailable},
		{404, "<Error><Code>NoSuchKey</Code></Error>", fs.ErrNotExist},
		{404, "", backend.ErrUnavailable},
		{412, "<Error><Code>PreconditionFailed</Code></Error>", backend.ErrPrecondition},
		{400, "<Error><Code>InvalidRequest</Code><Message>The specified copy source is larger than the maximum allowable size for a copy source: 5368709120</Message></Error>", backend.ErrTooLarge},
		{501, "", errors.ErrUnsupported},
	} {
		status, answer = c.status, c.answer
		_, err := try()
		require.ErrorIs(t, err, c.class, c.answer)
	}
	_, err = s.Copy(t.Context(), "a", "a", backend.CopyOptions{})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = s.Copy(t.Context(), "a", "b", backend.CopyOptions{If: backend.Condition{Match: "x"}})
	require.ErrorIs(t, err, errors.ErrUnsupported)

	status, answer = 200, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>"
	s.config.Bucket = "arn:aws:s3:us-east-1:1:accesspoint/p"
	_, err = s.Copy(t.Context(), "k", "l", backend.CopyOptions{})
	require.NoError(t, err)
	require.Equal(t, "arn%3Aaws%3As3%3Aus-east-1%3A1%3Aaccesspoint/p/object/k", got.Header.Get("X-Amz-Copy-Source"))
}
