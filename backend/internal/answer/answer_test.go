package answer

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// What ends in doubt must not be definite: the engine would not look again.
func TestStatusesHaveClasses(t *testing.T) {
	for status, want := range map[int]error{
		400: nil, 404: nil, 410: nil, 301: nil, 416: nil,
		401: fs.ErrPermission, 403: fs.ErrPermission, 407: fs.ErrPermission,
		405: errors.ErrUnsupported, 501: errors.ErrUnsupported,
		408: backend.ErrUnavailable, 409: backend.ErrUnavailable,
		412: backend.ErrPrecondition, 413: backend.ErrTooLarge, 414: backend.ErrInvalidKey,
		429: backend.ErrThrottled, 431: backend.ErrInvalidMetadata,
		500: backend.ErrUnavailable, 502: backend.ErrUnavailable, 503: backend.ErrUnavailable,
		504: backend.ErrUnavailable, 507: backend.ErrNoSpace, 599: backend.ErrUnavailable,
	} {
		require.Equal(t, want, Class(status), status)
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "x": 0, "999999": maxWait, "99999999999": maxWait,
		"99999999999999999999999":       0,
		"Thu, 01 Jan 2026 00:00:30 GMT": 30 * time.Second,
		"Wed, 31 Dec 2025 00:00:30 GMT": 0,
		"Sun, 01 Jan 2126 00:00:00 GMT": maxWait,
	} {
		require.Equal(t, want, RetryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
}

func TestWordsOfAStoreStayOnOneShortLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		"one.":                                  "one",
		" two\n \tlines\x1b[31m: ":              "two lines [31m",
		"\x85a\xffb":                            "ab",
		strings.Repeat("\u00e9", 10000):         strings.Repeat("\u00e9", maxLine/2),
		"a" + strings.Repeat("\u00e9", maxLine): "a" + strings.Repeat("\u00e9", (maxLine-1)/2),
	} {
		require.Equal(t, want, Line(text))
	}
}

func TestUnansweredRequestsTellNoURLAndAreNotFinal(t *testing.T) {
	for _, cause := range []error{
		nil,
		&url.Error{Op: "Put", URL: "https://host/?sig=secret", Err: errors.New("reset")},
		&url.Error{Op: "Put", URL: "https://host/?sig=secret", Err: timeout{}},
	} {
		err := Unanswered(cause)
		require.ErrorIs(t, err, backend.ErrUnavailable)
		require.True(t, backend.Retryable(err))
		require.False(t, errors.Is(err, timeout{}))
		require.NotContains(t, err.Error(), "secret")
	}
}

type timeout struct{}

func (timeout) Error() string { return "i/o timeout" }
