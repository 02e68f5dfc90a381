// Package answer reads what the HTTP answers of all stores have in common.
package answer

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

const (
	// maxLine bounds, in bytes, what is repeated of a store's words.
	maxLine = 300
	// maxWait bounds how long a store can have itself left alone.
	maxWait = 24 * time.Hour
)

// Class returns what a status means by itself (RFC 9110, section 15), nil where
// it says nothing that all stores agree upon. A 404 is one of these: any proxy
// says it, and it may be that of an object or of what holds it. No 503 is
// [backend.ErrThrottled], which promises that nothing was done: it may come from
// a proxy whose server died over a write.
func Class(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired:
		return fs.ErrPermission
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return errors.ErrUnsupported
	case http.StatusPreconditionFailed:
		return backend.ErrPrecondition
	case http.StatusRequestEntityTooLarge:
		return backend.ErrTooLarge
	case http.StatusRequestURITooLong:
		return backend.ErrInvalidKey
	case http.StatusRequestHeaderFieldsTooLarge:
		return backend.ErrInvalidMetadata
	case http.StatusTooManyRequests:
		return backend.ErrThrottled
	case http.StatusInsufficientStorage:
		return backend.ErrNoSpace
	case http.StatusRequestTimeout, http.StatusConflict:
		return backend.ErrUnavailable
	}
	if status >= 500 {
		return backend.ErrUnavailable
	}
	return nil
}

// RetryAfter returns how long an answer asks to be left alone, in seconds or
// until a date (RFC 9110, section 10.2.3): 0 where it does not, a day at the
// most.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxWait/time.Second))) * time.Second
	}
	if t, err := http.ParseTime(value); err == nil {
		return min(max(t.Sub(now), 0), maxWait)
	}
	return 0
}

// Line returns what a store said as one line of bounded length.
func Line(text string) string {
	text = text[:min(len(text), 2*maxLine)]
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || 0x7f <= r && r < 0xa0 }), " ")
	return strings.TrimRight(strings.ToValidUTF8(text[:min(len(text), maxLine)], ""), ".: ")
}

// Failure returns an error of a class, or of none if it is nil, that says text.
func Failure(class error, text string) error {
	if class == nil {
		return errors.New(text)
	}
	return fmt.Errorf("%w: %s", class, text)
}

// Text returns what an error says as one line of bounded length, without the
// URL of the request: that of an upload may be enough to write to it.
func Text(err error) string {
	if at := new(url.Error); errors.As(err, &at) {
		err = at.Err
	}
	if err == nil {
		return "the request failed"
	}
	return Line(err.Error())
}

// Unanswered returns the error of a request that has got no answer. It never
// wraps the cause, for a dial that times out claims to be
// [context.DeadlineExceeded], which would make it final. Only that the server
// speaks no https is final: no waiting helps.
func Unanswered(cause error) error {
	if plainHTTP(cause) {
		return Failure(backend.ErrStoreNotFound, Text(cause))
	}
	return Failure(backend.ErrUnavailable, Text(cause))
}

// plainHTTP reports whether a server has answered the beginning of TLS in http.
func plainHTTP(cause error) bool {
	var record tls.RecordHeaderError
	return errors.Is(cause, http.ErrSchemeMismatch) || errors.As(cause, &record) && string(record.RecordHeader[:]) == "HTTP/"
}

// Hint is what to do about a request that has got no answer: other, unless the
// scheme of the endpoint is wrong, or it has none.
func Hint(cause error, other string) string {
	if plainHTTP(cause) {
		return "write endpoint with http:// in front: https://, which no scheme means too, is not what the server speaks"
	}
	return other
}
