package gcs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"cloud.google.com/go/auth"
	"google.golang.org/api/googleapi"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
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
	var refused *googleapi.Error
	var token *auth.Error
	var machine *tokenError
	switch {
	case ctx.Err() != nil:
		e.Err = ctx.Err()
	case errors.As(err, &refused):
		hint, class := classify(refused)
		e.Hint, e.RetryAfter = hint, answer.RetryAfter(refused.Header, time.Now())
		e.Err = answer.Failure(class, words(refused))
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
		e.Err, e.Hint = answer.Unanswered(err), answer.Hint(err, hintNetwork)
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
	if text = answer.Line(text); text == "" {
		return ""
	}
	return ": " + text
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
	class = answer.Class(e.Code)
	switch e.Code {
	case http.StatusUnauthorized:
		hint = hintCredentials
	case http.StatusForbidden:
		hint = hintPermission
		if strings.Contains(e.Message, "KMS") {
			hint = hintKMS
		}
	case http.StatusProxyAuthRequired:
		hint = "the proxy wants credentials"
	case http.StatusNotFound:
		if strings.HasPrefix(e.Message, bucketMissing) {
			return hintBucket, backend.ErrStoreNotFound
		}
		return "", fs.ErrNotExist
	case http.StatusGone:
		return "", backend.ErrUnavailable
	case http.StatusBadRequest:
		switch {
		case strings.Contains(e.Message, "CRC32C"), strings.Contains(e.Message, "MD5"):
			return "", backend.ErrChecksum
		case strings.Contains(e.Message, "KMS"):
			hint = hintKMS
		}
	}
	return hint, class
}

// words are what the store said, on one line.
func words(e *googleapi.Error) string {
	return fmt.Sprintf("%s (HTTP %d)", cmp.Or(answer.Line(e.Message), http.StatusText(e.Code)), e.Code)
}

// classed tells errors that say already what they come to. None of the operating
// system does: a firewall's EPERM would be a refusal by the store.
func classed(err error) bool {
	var system syscall.Errno
	return (backend.Definite(err) || backend.Retryable(err)) && !errors.As(err, &system)
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
