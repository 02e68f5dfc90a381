package gcs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"google.golang.org/api/googleapi"

	"github.com/objrepl/replication/backend"
)

const (
	hintCredentials = "set credentialsFile, or renew the application default credentials (gcloud auth application-default login)"
	hintPermission  = "the credentials lack a permission on the bucket"
	hintRetention   = "a retention policy or a hold keeps the object"
	hintKMS         = "check kms_key_name, that its location is the bucket's, and the permission of the store's service agent to use it"
	hintProject     = "set project to the one that is billed"
	hintBucket      = "check bucket"
	hintNetwork     = "check the network and, if it is set, endpoint"
	hintToken       = "check credentialsFile and the clock of this machine"
	maxMessage      = 300
	maxWord         = 40
)

// bucketMissing begins the message of a 404 that speaks of the bucket, and
// objectMissing that of one which speaks of the object.
const (
	bucketMissing = "The specified bucket does not exist"
	objectMissing = "No such object"
)

// fail is the one place where failures of the SDK become errors. If ctx has
// ended, that is the cause, whatever it looked like. A 404 that does not say
// what is missing becomes fs.ErrNotExist, see settle.
func (s *Store) fail(ctx context.Context, op, key string, err error) error {
	var done *backend.Error
	if err == nil || errors.As(err, &done) {
		return err
	}
	e := &backend.Error{Op: op, Backend: driverName, Key: key}
	var answer *googleapi.Error
	var token *auth.Error
	var machine *tokenError
	switch {
	case ctx.Err() != nil:
		e.Err = ctx.Err()
	case errors.As(err, &answer):
		hint, class := classify(answer)
		e.Hint, e.RetryAfter = hint, retryAfter(answer.Header)
		e.Err = errors.New(words(answer))
		if class != nil {
			e.Err = fmt.Errorf("%w: %s", class, words(answer))
		}
	case errors.As(err, &machine):
		e.Err, e.Hint = machine.err, hintCredentials
	case errors.As(err, &token):
		e.Err, e.Hint = fmt.Errorf("%w: no access token was given%s", fs.ErrPermission, refusal(token.Body)), hintToken
		if token.Response == nil || token.Response.StatusCode >= 500 || token.Response.StatusCode == http.StatusTooManyRequests {
			e.Err = fmt.Errorf("%w: the token server does not answer", backend.ErrUnavailable)
		}
	case classed(err):
		e.Err = err
		if errors.Is(err, backend.ErrStoreNotFound) {
			e.Hint = hintBucket
		}
	case errors.Is(err, io.ErrUnexpectedEOF):
		e.Err = fmt.Errorf("%w: %w", backend.ErrUnavailable, io.ErrUnexpectedEOF)
	case ofConnection(err):
		e.Err, e.Hint = fmt.Errorf("%w: %s", backend.ErrUnavailable, plain(err)), hintNetwork
	default:
		e.Err = err
	}
	return e
}

// refusal is what a token server says of its reasons
// (https://www.rfc-editor.org/rfc/rfc6749#section-5.2), and nothing where that
// may repeat the assertion that was sent: no word of it is so long.
func refusal(body []byte) string {
	var document struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &document) != nil {
		return ""
	}
	text := ""
	for _, word := range strings.Fields(strings.ToValidUTF8(document.Error+": "+document.Description, "?")) {
		if len(word) > maxWord {
			return ""
		}
		text += " " + word
	}
	return ":" + strings.TrimSuffix(text[:min(len(text), maxMessage)], ":")
}

// classify returns what an answer means, nil where nobody can say
// (https://cloud.google.com/storage/docs/json_api/v1/status-codes).
func classify(e *googleapi.Error) (hint string, class error) {
	reason := ""
	if len(e.Errors) > 0 {
		reason = e.Errors[0].Reason
	}
	switch reason {
	case "rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded", "dailyLimitExceededUnreg":
		return "", backend.ErrThrottled
	case "retentionPolicyNotMet", "objectUnderActiveHold":
		return hintRetention, fs.ErrPermission
	case "required":
		if strings.Contains(e.Message, "requester pays") {
			return hintProject, fs.ErrPermission
		}
	}
	if strings.HasPrefix(reason, "cloudKms") {
		return hintKMS, fs.ErrPermission // bad, disabled, absent, of another location
	}
	switch e.Code {
	case http.StatusUnauthorized:
		return hintCredentials, fs.ErrPermission
	case http.StatusForbidden:
		if strings.Contains(e.Message, "KMS") {
			return hintKMS, fs.ErrPermission
		}
		return hintPermission, fs.ErrPermission
	case http.StatusProxyAuthRequired:
		return "the proxy wants credentials", fs.ErrPermission
	case http.StatusNotFound:
		if strings.HasPrefix(e.Message, bucketMissing) {
			return hintBucket, backend.ErrStoreNotFound
		}
		return "", fs.ErrNotExist
	case http.StatusPreconditionFailed:
		return "", backend.ErrPrecondition
	case http.StatusRequestEntityTooLarge:
		return "", backend.ErrTooLarge
	case http.StatusTooManyRequests:
		return "", backend.ErrThrottled
	case http.StatusNotImplemented, http.StatusMethodNotAllowed:
		return "", errors.ErrUnsupported
	case http.StatusInsufficientStorage:
		return "", backend.ErrNoSpace
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusGone:
		return "", backend.ErrUnavailable
	case http.StatusBadRequest:
		switch {
		case strings.Contains(e.Message, "CRC32C"), strings.Contains(e.Message, "MD5"):
			return "", backend.ErrChecksum
		case strings.Contains(e.Message, "KMS"):
			return hintKMS, nil
		}
	}
	if e.Code >= 500 {
		return "", backend.ErrUnavailable
	}
	return "", nil
}

// words are the status and what the store said beside it, on one line.
func words(e *googleapi.Error) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(e.Message, "?")), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return strings.TrimSuffix(fmt.Sprintf("status %d: %s", e.Code, text), ": ")
}

// retryAfter reads how long a store asks to be left alone: seconds or a date.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// classed tells errors that say already what they come to.
func classed(err error) bool {
	return backend.Definite(err) || backend.Retryable(err)
}

// ofConnection tells failures to reach the store, or answers that are no
// answer of it: a proxy's page, a document cut short.
func ofConnection(err error) bool {
	var (
		network net.Error
		at      *url.Error
		syntax  *json.SyntaxError
		kind    *json.UnmarshalTypeError
	)
	return errors.As(err, &at) || errors.As(err, &network) || errors.As(err, &syntax) || errors.As(err, &kind) ||
		errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}

// plain is the text of an error without the URL of the request: that of an
// upload is enough to write to it.
func plain(err error) string {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	return strings.ToValidUTF8(err.Error(), "?")
}
