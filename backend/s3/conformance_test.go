package s3_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/objrepl/replication/backend/internal/s3test"
	"github.com/objrepl/replication/backend/s3"
	"github.com/objrepl/replication/internal/testutil"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(testutil.Suite(m, testutil.ServerMinIO, testutil.ServerVersityGW))
}

func TestKeepsTheContractOnMinIO(t *testing.T) {
	s3test.Conform(t, s3.Driver, testutil.SharedMinIO(t), s3test.MinIO)
}

func TestKeepsTheContractOnVersityGW(t *testing.T) {
	s3test.Conform(t, s3.Driver, testutil.SharedVersityGW(t), s3test.VersityGW)
}

func TestEveryOperationIsOneRequest(t *testing.T) {
	s3test.CountsRequests(t, s3.Driver, testutil.SharedMinIO(t))
}

func TestDamagedPartsAreRefused(t *testing.T) {
	t.Run("MinIO", func(t *testing.T) { s3test.RefusesDamagedParts(t, s3.Driver, testutil.SharedMinIO(t)) })
	t.Run("versitygw", func(t *testing.T) { s3test.RefusesDamagedParts(t, s3.Driver, testutil.SharedVersityGW(t)) })
}

func TestFailuresAreNotRetried(t *testing.T) { s3test.SendsOnce(t, s3.Driver) }

func TestMissingBucketIsNoMissingObject(t *testing.T) { s3test.TellsBucketFromObject(t, s3.Driver) }

func TestOnlyAListingIsAListing(t *testing.T) { s3test.RefusesFalseListings(t, s3.Driver) }

func TestBrokenBodiesAreReported(t *testing.T) { s3test.ReportsBrokenBodies(t, s3.Driver) }

func TestSecretsAreNeverShown(t *testing.T) { s3test.KeepsSecrets(t, s3.Driver) }

func BenchmarkPut4KiB(b *testing.B) { s3test.BenchmarkPut4KiB(b, s3.Driver, testutil.SharedMinIO(b)) }

func BenchmarkList(b *testing.B) { s3test.BenchmarkList(b, s3.Driver, testutil.SharedMinIO(b)) }
