package gcs_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(testutil.Suite(m, testutil.ServerFakeGCS))
}

// quirks are what fake-gcs-server does otherwise than the contract, and Google
// Cloud Storage, have it. Tests of the requests show that the conditions are
// sent; that the store honours them is its documentation's word alone.
var quirks = []backendtest.Deviation{
	{Check: "delete-if-match", Source: "fake-gcs-server, fakestorage/object.go, deleteObject looks at no condition; Google Cloud Storage: " + documented + "objects/delete, ifGenerationMatch"},
	{Check: "parts-if-absent", Source: unconditionalCompose},
	{Check: "parts-if-match", Source: unconditionalCompose},
	{Check: "parts-race", Source: unconditionalCompose},
	{Check: "copy-if-absent", Source: unconditionalRewrite},
	{Check: "copy-if-match", Source: unconditionalRewrite},
	{Check: "copy-across-from-stamp", Source: "fake-gcs-server, fakestorage/object.go, rewriteObject: the metageneration of the source is not looked at; Google Cloud Storage: " + documented + "objects/rewrite, ifSourceMetagenerationMatch"},
}

const (
	documented           = "https://cloud.google.com/storage/docs/json_api/v1/"
	unconditionalCompose = "fake-gcs-server, fakestorage/object.go, composeObject: no condition is looked at; Google Cloud Storage: " + documented + "objects/compose, ifGenerationMatch"
	unconditionalRewrite = "fake-gcs-server, fakestorage/object.go, rewriteObject: no condition on the destination is looked at; Google Cloud Storage: " + documented + "objects/rewrite, ifGenerationMatch"
)

func TestKeepsTheContractOnFakeGCS(t *testing.T) {
	server := testutil.SharedFakeGCS(t)
	settings := backend.Settings{"bucket": server.NewGCSBucket(t), "endpoint": server.Endpoint}
	backendtest.Test(t, drivertest.Opener(gcs.Driver, settings), backendtest.Options{
		LargeSize:   17<<20 + 7, // three chunks
		Missing:     drivertest.Opener(gcs.Driver, drivertest.With(settings, "bucket", "test-no-such-bucket")),
		Unreachable: drivertest.Opener(gcs.Driver, drivertest.With(settings, "endpoint", "http://"+drivertest.ClosedPort(t))),
		Other:       drivertest.Opener(gcs.Driver, drivertest.With(settings, "bucket", server.NewGCSBucket(t))),
		Expect:      quirks,
	})
}
