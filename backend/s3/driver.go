package s3

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/s3proto"
)

const driverName = "s3"

// Driver opens buckets. It holds no state.
var Driver backend.Driver = driver{}

type driver struct{}

// Name implements backend.Driver.
func (driver) Name() string { return driverName }

// Schema implements backend.Driver.
func (driver) Schema() backend.Schema {
	return append(backend.Schema{
		{Name: "bucket", Required: true, Check: s3proto.CheckBucket, Help: "name of the bucket"},
		{Name: "region", Help: "region of the bucket; by default that of the profile or environment, or us-east-1 with an endpoint"},
		{Name: "endpoint", Check: checkEndpoint, Help: "http or https URL of a store other than AWS; a bare host means https"},
		{Name: "accessKey", Help: "access key id; by default the usual chain: environment, profile, container, instance"},
		{Name: "secretKey", Secret: true, Help: "secret access key that belongs to accessKey"},
		{Name: "sessionToken", Secret: true, Help: "session token of temporary credentials"},
		{Name: "profile", Help: "profile in the shared AWS configuration files"},
		{Name: "forcePathStyle", Values: []string{"true", "false"}, Help: "bucket in the path, not in the host name; by default only with an endpoint"},
		{Name: "storageClass", Help: "storage class of new objects; by default the bucket's"},
	}, s3proto.EncryptionSettings()...)
}

// Open implements backend.Driver. It reaches no store.
func (driver) Open(ctx context.Context, s backend.Settings) (backend.Backend, error) {
	b, err := open(ctx, s)
	if err != nil {
		return nil, &backend.Error{Op: "open", Backend: driverName, Err: err}
	}
	return b, nil
}

func checkEndpoint(value string) error {
	_, err := s3proto.ParseEndpoint(value)
	return err
}

// checkTogether reports settings that only make sense together.
func checkTogether(s backend.Settings) error {
	var faults []error
	if s["bucket"] == "" {
		faults = append(faults, errors.New(`missing setting "bucket"`))
	}
	switch {
	case s["accessKey"] != "" && s["secretKey"] == "":
		faults = append(faults, errors.New(`setting "accessKey" needs "secretKey" beside it`))
	case s["accessKey"] == "" && s["secretKey"] != "":
		faults = append(faults, errors.New(`setting "secretKey" needs "accessKey" beside it`))
	case s["accessKey"] == "" && s["sessionToken"] != "":
		faults = append(faults, errors.New(`setting "sessionToken" needs "accessKey" and "secretKey" beside it`))
	}
	if strings.HasSuffix(s["bucket"], "--x-s3") {
		faults = append(faults, fmt.Errorf("bucket %q is an S3 Express directory bucket, whose listing has no order: %w", s["bucket"], errors.ErrUnsupported))
	}
	return errors.Join(faults...)
}

// pathStyle decides how a bucket is addressed: custom endpoints rarely have a
// name in DNS for each bucket.
func pathStyle(s backend.Settings) bool {
	if force, err := strconv.ParseBool(s["forcePathStyle"]); err == nil {
		return force
	}
	return s["endpoint"] != ""
}
