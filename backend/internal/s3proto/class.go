package s3proto

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

const (
	hintKey        = "check accessKey"
	hintSecret     = "check secretKey"
	hintToken      = "renew the credentials or sessionToken"
	hintClock      = "the clock of this machine or of the store is wrong"
	hintRegion     = "check region"
	hintBucket     = "check bucket"
	hintPolicy     = "the credentials lack a permission on the bucket"
	hintKMS        = "check kms_key_id, or the key that the bucket encrypts with, and the permission to use it"
	hintNoKMS      = "the store has no keys to encrypt with; leave sse and kms_key_id out or set its KMS up"
	hintArchived   = "have the store restore it (RestoreObject), then run again"
	hintClass      = "check storageClass"
	hintObject     = "check storage_class of the policy"
	hintInTheClear = "leave sse and kms_key_id out and have the bucket encrypt by default, or use a store that knows them"
	hintEndpoint   = "check endpoint"
	hintInTheWay   = "on this server another object is in the way: one's key continues the other's"
)

type meaning struct {
	class error
	hint  string
}

// codes is what S3's error codes mean, and those of servers like it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; MinIO:
// cmd/api-errors.go; versitygw: s3err/s3err.go).
var codes = map[string]meaning{
	"NoSuchKey":         {class: fs.ErrNotExist},
	"NoSuchVersion":     {class: fs.ErrNotExist},
	"NoSuchUpload":      {class: fs.ErrNotExist},
	"NoSuchBucket":      {backend.ErrStoreNotFound, hintBucket},
	"InvalidBucketName": {backend.ErrStoreNotFound, hintBucket},

	"AccessDenied":          {fs.ErrPermission, hintPolicy},
	"AllAccessDisabled":     {fs.ErrPermission, hintPolicy},
	"AccountProblem":        {class: fs.ErrPermission},
	"NotSignedUp":           {class: fs.ErrPermission},
	"InvalidAccessKeyId":    {fs.ErrPermission, hintKey},
	"SignatureDoesNotMatch": {fs.ErrPermission, hintSecret},
	"ExpiredToken":          {fs.ErrPermission, hintToken},
	"InvalidToken":          {fs.ErrPermission, hintToken},
	"TokenRefreshRequired":  {fs.ErrPermission, hintToken},
	"InvalidTokenId":        {fs.ErrPermission, hintToken}, // MinIO, of expired ones too
	"RequestTimeTooSkewed":  {fs.ErrPermission, hintClock},
	"RequestExpired":        {fs.ErrPermission, hintClock},
	"InvalidObjectState":    {backend.ErrArchived, hintArchived},

	// The right credentials at the wrong door: nothing but a change of the
	// settings will help.
	"AuthorizationHeaderMalformed":           {fs.ErrPermission, hintRegion},
	"PermanentRedirect":                      {fs.ErrPermission, hintRegion},
	"IllegalLocationConstraintException":     {fs.ErrPermission, hintRegion},
	"InvalidRegion":                          {fs.ErrPermission, hintRegion},
	"AuthorizationQueryParametersError":      {fs.ErrPermission, hintRegion},
	"XMinioInsecureClientRequest":            {fs.ErrPermission, hintEndpoint},
	"InsecureSSECustomerRequest":             {fs.ErrPermission, hintEndpoint},
	"TemporaryRedirect":                      {backend.ErrUnavailable, hintRegion},
	"PreconditionFailed":                     {class: backend.ErrPrecondition},
	"ConditionalRequestConflict":             {class: backend.ErrUnavailable},
	"OperationAborted":                       {class: backend.ErrUnavailable},
	"BadDigest":                              {class: backend.ErrChecksum},
	"InvalidDigest":                          {class: backend.ErrChecksum},
	"XAmzContentChecksumMismatch":            {class: backend.ErrChecksum},
	"XAmzContentSHA256Mismatch":              {class: backend.ErrChecksum},
	"IncompleteBody":                         {class: backend.ErrChecksum},
	"EntityTooLarge":                         {class: backend.ErrTooLarge},
	"MaxMessageLengthExceeded":               {class: backend.ErrTooLarge},
	"KeyTooLongError":                        {class: backend.ErrInvalidKey},
	"InvalidURI":                             {class: backend.ErrInvalidKey},
	"XMinioInvalidObjectName":                {class: backend.ErrInvalidKey},
	"XMinioInvalidResourceName":              {class: backend.ErrInvalidKey},
	"XMinioObjectExistsAsDirectory":          {backend.ErrInvalidKey, hintInTheWay},
	"XMinioParentIsObject":                   {backend.ErrInvalidKey, hintInTheWay},
	"ObjectParentIsFile":                     {backend.ErrInvalidKey, hintInTheWay},
	"ExistingObjectIsDirectory":              {backend.ErrInvalidKey, hintInTheWay},
	"DirectoryObjectContainsData":            {class: backend.ErrInvalidKey},
	"MetadataTooLarge":                       {class: backend.ErrInvalidMetadata},
	"InvalidStorageClass":                    {backend.ErrInvalidClass, hintClass},
	"InvalidTag":                             {class: backend.ErrInvalidMetadata},
	"RequestHeaderSectionTooLarge":           {class: backend.ErrInvalidMetadata},
	"XMinioUnsupportedMetadata":              {class: backend.ErrInvalidMetadata},
	"XMinioStorageFull":                      {class: backend.ErrNoSpace},
	"XMinioAdminBucketQuotaExceeded":         {class: backend.ErrNoSpace},
	"InsufficientStorage":                    {class: backend.ErrNoSpace},
	"InsufficientCapacity":                   {class: backend.ErrNoSpace},
	"QuotaExceeded":                          {class: backend.ErrNoSpace},
	"NotImplemented":                         {class: errors.ErrUnsupported},
	"MethodNotAllowed":                       {class: errors.ErrUnsupported},
	"SlowDown":                               {class: backend.ErrThrottled},
	"SlowDownRead":                           {class: backend.ErrThrottled},
	"TooManyRequests":                        {class: backend.ErrThrottled},
	"TooManyRequestsException":               {class: backend.ErrThrottled},
	"Throttling":                             {class: backend.ErrThrottled},
	"ThrottlingException":                    {class: backend.ErrThrottled},
	"ThrottledException":                     {class: backend.ErrThrottled},
	"RequestThrottled":                       {class: backend.ErrThrottled},
	"RequestThrottledException":              {class: backend.ErrThrottled},
	"RequestLimitExceeded":                   {class: backend.ErrThrottled},
	"BandwidthLimitExceeded":                 {class: backend.ErrThrottled},
	"KMS.ThrottlingException":                {class: backend.ErrThrottled},
	"ProvisionedThroughputExceeded":          {class: backend.ErrThrottled},
	"InternalError":                          {class: backend.ErrUnavailable},
	"ServiceUnavailable":                     {class: backend.ErrUnavailable},
	"RequestTimeout":                         {class: backend.ErrUnavailable},
	"XMinioServerNotInitialized":             {class: backend.ErrUnavailable},
	"XMinioBucketMetadataNotInitialized":     {class: backend.ErrUnavailable},
	"XMinioIAMNotInitialized":                {class: backend.ErrUnavailable},
	"Busy":                                   {class: backend.ErrUnavailable},
	"ClientDisconnected":                     {class: backend.ErrUnavailable},
	"KMS.InternalException":                  {class: backend.ErrUnavailable},
	"KMS.DependencyTimeoutException":         {class: backend.ErrUnavailable},
	"KMS.KeyUnavailableException":            {class: backend.ErrUnavailable},
	"KMSKeyNotFoundException":                {fs.ErrPermission, hintKMS},
	"kms:KeyCreationFailed":                  {class: backend.ErrUnavailable}, // MinIO: internal/kms/errors.go
	"kms:KeyGenerationFailed":                {class: backend.ErrUnavailable},
	"kms:DecryptionFailed":                   {class: backend.ErrUnavailable},
	"InvalidEncryptionAlgorithmError":        {errors.ErrUnsupported, hintKMS},
	"ServerSideEncryptionConfigurationError": {fs.ErrPermission, hintKMS},

	// Not ErrThrottled, which promises that nothing was done: this is how MinIO
	// says that a write lost its quorum, at whatever point
	// (cmd/api-errors.go, errErasureWriteQuorum).
	"SlowDownWrite": {class: backend.ErrUnavailable},
}

// classify returns what a code means or, where it says nothing, a status. The
// class is nil for a 404 that may be that of an object or of its bucket, and
// for anything unknown, whose outcome is then unknown too.
func classify(code string, status int) (hint string, class error) {
	if m, ok := codes[code]; ok {
		return m.hint, m.class
	}
	if strings.HasPrefix(code, "KMS.") || strings.HasPrefix(code, "kms:") {
		return hintKMS, fs.ErrPermission
	}
	class = answer.Class(status)
	switch status {
	case http.StatusBadRequest:
		if code == "" { // a HEAD's answer has no body to say more
			hint = "check the credentials and region"
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = hintPolicy
	case http.StatusProxyAuthRequired:
		hint = "the proxy wants credentials"
	case http.StatusMovedPermanently, http.StatusPermanentRedirect:
		return hintRegion, fs.ErrPermission
	case http.StatusFound, http.StatusTemporaryRedirect:
		return hintRegion, backend.ErrUnavailable
	}
	return hint, class
}
