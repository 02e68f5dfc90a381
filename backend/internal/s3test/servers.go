// Package s3test runs drivers of the S3 protocol against real servers. It is
// for the tests of those drivers.
package s3test

import (
	"slices"
	"testing"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// A Quirk is what a server does otherwise than the contract has it.
type Quirk struct {
	Check  string
	Source string
	// Skip says why the check is not even run.
	Skip string
}

// MinIO are the quirks of MinIO.
var MinIO = []Quirk{
	{Check: "list-order", Source: notListed},
	{Check: "list-prefix", Source: notListed},
	{Check: "list-prefix-in-rune", Source: notListed},
	{Check: "key-below-object", Source: notListed},
	{Check: "metadata-limit", Source: "MinIO, cmd/generic-handlers.go, isHTTPHeaderSizeTooLarge: the prefix X-Amz-Meta- of every name counts among the 2 KiB"},
	{Check: "delete-if-match", Source: unconditional},
	{Check: "delete-if-match-absent", Source: unconditional},
	{Check: "race-delete", Source: unconditional},
	{Check: "delete-many-if-match", Source: "MinIO, cmd/bucket-handlers.go, DeleteMultipleObjectsHandler: the ETag of an object is not looked at; the engine finds that out by a probe"},
	{Check: "copy-if-absent", Source: copiesAnyway},
	{Check: "copy-if-match", Source: copiesAnyway},
	slowReader,
}

const copiesAnyway = "MinIO, cmd/object-handlers.go, CopyObjectHandler: no condition on the target is looked at; the engine finds that out by a probe"

const unconditional = "MinIO, cmd/object-handlers.go, DeleteObjectHandler: no condition is looked at; the engine finds that out by a probe"

// notListed is worse than it sounds: such keys can be written and read, but no
// listing has them.
const notListed = "MinIO, cmd/metacache-walk.go, WalkDir: a directory that holds an object is not descended into, so that the object a hides all below a/ from listings"

// VersityGW are the quirks of versitygw.
var VersityGW = []Quirk{
	{Check: "key-control", Source: notEncoded, Skip: "its objects cannot be listed, and so stay behind"},
	{Check: "key-noncharacter", Source: notEncoded},
	{Check: "key-component-255", Source: longName},
	{Check: "key-component-255-multibyte", Source: longName},
	{Check: "delete-if-match-absent", Source: goneIsDeleted},
	{Check: "race-delete", Source: goneIsDeleted},
	{Check: "copy-if-absent", Source: copiesBlindly},
	{Check: "copy-if-match", Source: copiesBlindly},
	{Check: "delete-many-if-match", Source: "versitygw, backend/posix/posix.go, DeleteObjects: the ETag of an object is not passed on; the engine finds that out by a probe"},
}

const (
	copiesBlindly = "versitygw, backend/posix/posix.go, CopyObject: no condition on the target is looked at; the engine finds that out by a probe"
	notEncoded    = "versitygw, backend/posix/posix.go, ListObjectsV2Parametrized: encoding-type is not honoured, and XML 1.0 has no way to write such characters"
	goneIsDeleted = "versitygw, backend/posix/posix.go, DeleteObject: deleting what is absent succeeds, whatever the condition"
	longName      = "versitygw, backend/posix/with_otmpfile.go, link: overwriting goes by a temporary name that is longer than the object's, and posix.go, PutObject, calls any failure there ExistingObjectIsDirectory"
)

// Conform runs the conformance suite on a fresh bucket of a server.
func Conform(t *testing.T, driver backend.Driver, server *testutil.Server, quirks []Quirk) {
	conform(t, driver, server, Settings(server, server.NewBucket(t)), quirks)
}

func conform(t *testing.T, driver backend.Driver, server *testutil.Server, settings backend.Settings, quirks []Quirk) {
	opts := backendtest.Options{
		Other:       drivertest.Opener(driver, drivertest.With(settings, "bucket", server.NewBucket(t))),
		LargeSize:   17<<20 + 7, // MinIO refuses chunks of 16 MiB and more
		Missing:     drivertest.Opener(driver, drivertest.With(settings, "bucket", "test-no-such-bucket")),
		Unreachable: drivertest.Opener(driver, drivertest.With(settings, "endpoint", "http://"+drivertest.ClosedPort(t))),
	}
	for _, q := range quirks {
		if q.Skip != "" || q == slowReader {
			opts.Skip = append(opts.Skip, q.Check)
			continue
		}
		opts.Expect = append(opts.Expect, backendtest.Deviation{Check: q.Check, Source: q.Source})
	}
	backendtest.Test(t, drivertest.Opener(driver, settings), opts)
	if slices.Contains(quirks, slowReader) && !testing.Short() {
		t.Run("slow reader", func(t *testing.T) { readSlowly(t, driver, settings) })
	}
}

// Settings are those that both drivers have for a bucket.
func Settings(server *testutil.Server, bucket string) backend.Settings {
	return backend.Settings{
		"bucket": bucket, "endpoint": server.Endpoint, "region": server.Region,
		"accessKey": server.AccessKey, "secretKey": server.SecretKey,
	}
}

// ConformVersioned is Conform where the bucket keeps versions.
func ConformVersioned(t *testing.T, driver backend.Driver, server *testutil.Server, quirks []Quirk) {
	bucket := server.NewBucket(t)
	if err := server.Client(t).EnableVersioning(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	conform(t, driver, server, Settings(server, bucket), quirks)
}
