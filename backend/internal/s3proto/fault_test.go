package s3proto

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestAnswersHaveClasses(t *testing.T) {
	for _, c := range []struct {
		status   int
		code     string
		class    error // nil: none
		definite bool
		hint     string
	}{
		{404, "NoSuchKey", fs.ErrNotExist, true, ""},
		{404, "NoSuchBucket", backend.ErrStoreNotFound, true, "bucket"},
		{403, "AccessDenied", fs.ErrPermission, true, "permission"},
		{403, "InvalidAccessKeyId", fs.ErrPermission, true, "accessKey"},
		{403, "SignatureDoesNotMatch", fs.ErrPermission, true, "secretKey"},
		{400, "ExpiredToken", fs.ErrPermission, true, "sessionToken"},
		{403, "RequestTimeTooSkewed", fs.ErrPermission, true, "clock"},
		{301, "PermanentRedirect", fs.ErrPermission, true, "region"},
		{301, "", fs.ErrPermission, true, "region"},
		{400, "AuthorizationHeaderMalformed", fs.ErrPermission, true, "region"},
		{307, "TemporaryRedirect", backend.ErrUnavailable, false, "region"},
		{403, "", fs.ErrPermission, true, "permission"},
		{503, "SlowDown", backend.ErrThrottled, true, ""},
		{503, "SlowDownWrite", backend.ErrUnavailable, false, ""},
		{503, "", backend.ErrUnavailable, false, ""},
		{429, "", backend.ErrThrottled, true, ""},
		{429, "TooManyRequests", backend.ErrThrottled, true, ""},
		{500, "InternalError", backend.ErrUnavailable, false, ""},
		{500, "SomethingNew", backend.ErrUnavailable, false, ""},
		{502, "", backend.ErrUnavailable, false, ""},
		{504, "", backend.ErrUnavailable, false, ""},
		{400, "RequestTimeout", backend.ErrUnavailable, false, ""},
		{412, "PreconditionFailed", backend.ErrPrecondition, true, ""},
		{412, "", backend.ErrPrecondition, true, ""},
		{409, "ConditionalRequestConflict", backend.ErrUnavailable, false, ""},
		{400, "BadDigest", backend.ErrChecksum, true, ""},
		{400, "XAmzContentChecksumMismatch", backend.ErrChecksum, true, ""},
		{400, "IncompleteBody", backend.ErrChecksum, true, ""},
		{400, "EntityTooLarge", backend.ErrTooLarge, true, ""},
		{413, "", backend.ErrTooLarge, true, ""},
		{400, "KeyTooLongError", backend.ErrInvalidKey, true, ""},
		{400, "XMinioInvalidObjectName", backend.ErrInvalidKey, true, ""},
		{400, "MetadataTooLarge", backend.ErrInvalidMetadata, true, ""},
		{507, "XMinioStorageFull", backend.ErrNoSpace, true, ""},
		{507, "", backend.ErrNoSpace, true, ""},
		{400, "KMS.NotFoundException", fs.ErrPermission, true, "key"},
		{400, "KMS.ThrottlingException", backend.ErrThrottled, true, ""},
		{501, "NotImplemented", errors.ErrUnsupported, true, ""},
		{404, "", nil, false, ""},
		{404, "NotFound", nil, false, ""},
		{400, "SomethingNew", nil, false, ""},
	} {
		f := &fault{op: "put", backend: "s3", key: "k", status: c.status, code: c.code}
		err := f.error(t.Context())
		name := http.StatusText(c.status) + " " + c.code
		if c.class != nil {
			require.ErrorIs(t, err, c.class, name)
		}
		require.Equal(t, c.definite, backend.Definite(err), name)
		require.Contains(t, err.Hint, c.hint, name)
		require.Contains(t, err.Error(), c.code)
		require.Equal(t, c.class == nil && c.status == 404, f.ambiguous(), name)
	}
}

func TestRegionIsNamedWhereTheStoreDoes(t *testing.T) {
	f := &fault{status: 301, region: "eu-west-3"}
	require.Equal(t, "set region to eu-west-3", f.error(t.Context()).Hint)
}

// A dial that times out is context.DeadlineExceeded to errors.Is, which would
// make it final although nobody's deadline has passed.
func TestConnectionErrorsAreUnavailable(t *testing.T) {
	for _, err := range []error{
		&net.OpError{Op: "dial", Err: &timeout{}},
		&net.DNSError{Err: "no such host", Name: "nowhere"},
		os.ErrDeadlineExceeded,
		errors.New("http: server closed idle connection"),
		&url.Error{Op: "Get", URL: "http://host/?X-Amz-Signature=1234", Err: errors.New("EOF")},
	} {
		got := (&fault{op: "put", err: err}).error(t.Context())
		require.ErrorIs(t, got, backend.ErrUnavailable)
		require.True(t, backend.Retryable(got), err)
		require.False(t, backend.Definite(got), err)
		require.NotContains(t, got.Error(), "Signature")
	}
}

type timeout struct{}

func (*timeout) Error() string        { return "i/o timeout" }
func (*timeout) Timeout() bool        { return true }
func (*timeout) Temporary() bool      { return true }
func (*timeout) Is(target error) bool { return target == context.DeadlineExceeded }

func TestEndedContextIsTheCause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := (&fault{op: "stat", err: errors.New("connection reset")}).error(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, backend.Retryable(err))
	// But an answer that came is an answer.
	require.ErrorIs(t, (&fault{op: "stat", status: 412}).error(ctx), backend.ErrPrecondition)
}

func TestWordsOfTheStoreStayOnOneShortLine(t *testing.T) {
	f := &fault{op: "put", status: 400, code: strings.Repeat("c", 1000), message: "two\nlines \x1b[31m" + strings.Repeat("é", 1000)}
	text := f.error(t.Context()).Error()
	require.Less(t, len(text), 600)
	require.NotContains(t, text, "\n")
	require.NotContains(t, text, "\x1b")
}

func TestErrorDocumentsAreRead(t *testing.T) {
	code, message, _ := readError([]byte("<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>a &lt;b&gt;</Message><Resource>/x</Resource></Error>"))
	require.Equal(t, "NoSuchKey", code)
	require.Equal(t, "a <b>", message)
	for _, none := range []string{"", "<html><Code>NoSuchKey</Code></html>", "not found", "{}", "<Error>"} {
		code, _, _ = readError([]byte(none))
		require.Empty(t, code, none)
	}
}
