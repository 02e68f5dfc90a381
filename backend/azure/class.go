package azure

import (
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

var (
	errIncomplete    = fmt.Errorf("%w: the answer names no size or no ETag", backend.ErrUnavailable)
	errContradiction = fmt.Errorf("%w: nothing is absent and a version at once", backend.ErrPrecondition)
)

const (
	hintEndpoint  = "check endpoint and accountName"
	hintContainer = "check containerName and accountName"
	hintAccess    = "check accountKey, sasToken and its expiry, or the identity's roles (Storage Blob Data Contributor), and the clock"
	hintClock     = "the clock of this machine is wrong: the service takes no request that is more than 15 minutes off"
	hintExpired   = "renew sasToken, which has expired or is not valid yet; else the clock of this machine is wrong"
	hintLease     = "somebody holds a lease on it; wait for its end or break it"
	hintSnapshots = "delete its snapshots first, which the library never does"
	hintArchived  = "have the store rehydrate it to an online tier, then run again"
	hintPolicy    = "an immutability policy or a legal hold protects it"
	hintScope     = "check that encryptionScope exists, is enabled, and that the container lets it be named"
	hintTier      = "check tier, or storage_class of the policy: an account of this kind does not have it"
	hintBlocks    = "another program has begun an upload of it with block ids of another length; it is forgotten a week after its last block, or when the object is next written whole"
)

// answers are the classes of the service's error codes
// (https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes).
// A nil class is none: the outcome is then unknown.
var answers = map[string]struct {
	class error
	hint  string
}{
	"BlobNotFound":                       {fs.ErrNotExist, ""},
	"ContainerNotFound":                  {backend.ErrStoreNotFound, hintContainer},
	"ContainerBeingDeleted":              {backend.ErrStoreNotFound, hintContainer},
	"ContainerDisabled":                  {backend.ErrStoreNotFound, hintContainer},
	"BlobAlreadyExists":                  {fs.ErrExist, ""},
	"ConditionNotMet":                    {backend.ErrPrecondition, ""},
	"SourceConditionNotMet":              {backend.ErrPrecondition, ""},
	"TargetConditionNotMet":              {backend.ErrPrecondition, ""},
	"BlobImmutableDueToPolicy":           {fs.ErrPermission, hintPolicy},
	"SnapshotsPresent":                   {errors.ErrUnsupported, hintSnapshots},
	"BlobArchived":                       {backend.ErrArchived, hintArchived},
	"BlobBeingRehydrated":                {backend.ErrArchived, hintArchived},
	"InvalidBlobType":                    {errors.ErrUnsupported, "it is an append or page blob; the library writes block blobs"},
	"InvalidBlobOrBlock":                 {errors.ErrUnsupported, hintBlocks},
	"Md5Mismatch":                        {backend.ErrChecksum, ""},
	"Crc64Mismatch":                      {backend.ErrChecksum, ""},
	"InvalidBlockList":                   {backend.ErrChecksum, ""},
	"ServerBusy":                         {backend.ErrThrottled, ""},
	"OperationTimedOut":                  {backend.ErrUnavailable, ""},
	"InternalError":                      {backend.ErrUnavailable, ""},
	"InvalidResourceName":                {backend.ErrInvalidKey, ""},
	"InvalidUri":                         {backend.ErrInvalidKey, ""},
	"InvalidTag":                         {backend.ErrInvalidMetadata, ""},
	"InvalidTagSet":                      {backend.ErrInvalidMetadata, ""},
	"InvalidMetadata":                    {backend.ErrInvalidMetadata, ""},
	"EmptyMetadataKey":                   {backend.ErrInvalidMetadata, ""},
	"MetadataTooLarge":                   {backend.ErrInvalidMetadata, ""},
	"RequestBodyTooLarge":                {backend.ErrTooLarge, ""},
	"AccountIsDisabled":                  {fs.ErrPermission, ""},
	"AuthenticationFailed":               {fs.ErrPermission, hintAccess},
	"AuthorizationFailure":               {fs.ErrPermission, hintAccess},
	"AuthorizationPermissionMismatch":    {fs.ErrPermission, hintAccess},
	"InsufficientAccountPermissions":     {fs.ErrPermission, hintAccess},
	"UnauthorizedBlobOverwrite":          {fs.ErrPermission, hintAccess},
	"NoAuthenticationInformation":        {fs.ErrPermission, hintAccess},
	"InvalidAuthenticationInfo":          {fs.ErrPermission, hintAccess},
	"PublicAccessNotPermitted":           {fs.ErrPermission, hintAccess},
	"KeyBasedAuthenticationNotPermitted": {fs.ErrPermission, "the account takes no keys; leave accountKey out and give an identity"},
}

// classify returns what an answer means. An absence that the service does not
// name is none of an object: any proxy says 404.
func classify(code string, status int) (hint string, class error) {
	if a, ok := answers[code]; ok {
		return a.hint, a.class
	}
	switch {
	case strings.Contains(code, "EncryptionScope"):
		// By its name, for the service documents no code of these.
		return hintScope, fs.ErrPermission
	case code == "InvalidBlobTier", code == "BlobAccessTierNotSupportedForAccountType":
		return hintTier, backend.ErrInvalidClass
	case strings.HasPrefix(code, "Lease"):
		return hintLease, fs.ErrPermission
	case status == http.StatusNotFound, status/100 == 3:
		return hintEndpoint, backend.ErrUnavailable
	case code != "" && (status == http.StatusConflict || status == http.StatusPreconditionFailed):
		// One of many reasons, and few of them are a condition or pass by themselves.
		return "", nil
	}
	switch class = answer.Class(status); class {
	case fs.ErrPermission:
		hint = hintAccess
	case backend.ErrUnavailable:
		hint = hintEndpoint
	}
	return hint, class
}

// failed is the one place where errors of the SDK become the driver's. If ctx
// has ended before there was an answer, that is the cause, whatever it looked
// like.
func failed(ctx context.Context, op, key string, err error) error {
	e := &backend.Error{Op: op, Backend: driverName, Key: key}
	var refusal *azcore.ResponseError
	var credentials *credentialsError
	switch {
	case errors.As(err, &refusal):
		hint, class := classify(refusal.ErrorCode, refusal.StatusCode)
		said := read(refusal)
		e.Hint, e.Err = cmp.Or(said.hint(), hint), answer.Failure(class, words(refusal, said.Message))
		if refusal.RawResponse != nil {
			e.RetryAfter = answer.RetryAfter(refusal.RawResponse.Header, time.Now())
		}
	case ctx.Err() != nil:
		e.Err = ctx.Err()
	case errors.As(err, &credentials):
		e.Err, e.Hint = answer.Failure(fs.ErrPermission, "no credentials: "+credentials.text), "set accountKey or sasToken, or sign in"
	case errors.Is(err, fs.ErrClosed), errors.Is(err, errBatchTooLarge):
		e.Err = err
	default:
		e.Err, e.Hint = answer.Unanswered(err), answer.Hint(err, "check endpoint, accountName and the network")
	}
	return e
}

// refuse is an error that the driver found itself.
func refuse(op, key string, err error) error {
	return &backend.Error{Op: op, Backend: driverName, Key: key, Err: err}
}

// unmet makes the failure of a conditional write what it says about the
// condition: that on an absent object is no absence, and one that nothing be
// there fails with fs.ErrExist however the service put it.
func unmet(c backend.Condition, err error) error {
	var e *backend.Error
	if !errors.As(err, &e) {
		return err
	}
	switch {
	case c.Absent && errors.Is(err, backend.ErrPrecondition):
		e.Err = fmt.Errorf("%w: %w", fs.ErrExist, e.Err)
	case c.Match != "" && errors.Is(err, fs.ErrNotExist):
		e.Err = fmt.Errorf("%w: the object is absent", backend.ErrPrecondition)
	}
	return err
}

// A saying is what the body of a refusal says.
type saying struct {
	XMLName xml.Name `xml:"Error"`
	Message string
	// Detail may repeat a signature, and so is looked at, but never shown.
	Detail string `xml:"AuthenticationErrorDetail"`
}

func read(refusal *azcore.ResponseError) (s saying) {
	if refusal.RawResponse == nil {
		return s
	}
	if data, err := runtime.Payload(refusal.RawResponse); err != nil || xml.Unmarshal(data, &s) != nil {
		return saying{}
	}
	return s
}

// hint is what a person can do about a refusal for its time, or empty
// (https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key#specifying-the-date-header).
func (s saying) hint() string {
	switch {
	case strings.Contains(s.Detail, "Request date header"):
		return hintClock
	case strings.Contains(s.Detail, "not valid in the specified time frame"):
		return hintExpired
	}
	return ""
}

// words puts what the service said on one line, without the request, whose URL
// may carry a signature.
func words(refusal *azcore.ResponseError, message string) string {
	details := []string{fmt.Sprintf("HTTP %d", refusal.StatusCode)}
	if refusal.ErrorCode != "" {
		details = append([]string{refusal.ErrorCode}, details...)
	}
	if res := refusal.RawResponse; res != nil {
		if id := res.Header.Get("X-Ms-Request-Id"); id != "" && len(id) < 100 {
			details = append(details, "request "+id)
		}
	}
	// The lines that follow the first name the request and the time again.
	message, _, _ = strings.Cut(message, "\n")
	message = cmp.Or(answer.Line(message), http.StatusText(refusal.StatusCode))
	return fmt.Sprintf("%s (%s)", message, strings.Join(details, ", "))
}
