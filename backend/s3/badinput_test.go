package s3_test

import (
	"testing"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/backend/internal/s3test"
	"github.com/objrepl/replication/backend/s3"
	"github.com/objrepl/replication/internal/testutil"
)

func TestAWrongClockIsTold(t *testing.T) {
	s3test.TellsAWrongClock(t, s3.Driver, testutil.SharedMinIO(t))
}

func TestAWrongRegionIsTold(t *testing.T) { s3test.TellsAWrongRegion(t, s3.Driver) }

func TestExpiredCredentialsAreTold(t *testing.T) {
	s3test.TellsExpiredCredentials(t, s3.Driver, backend.Settings{"region": "us-east-1", "accessKey": "shown", "secretKey": "hidden-secret", "sessionToken": "hidden-token"})
}

// What MinIO says of a token that it cannot read is what it says of an expired
// one (cmd/auth-handler.go, checkClaimsFromToken).
func TestAWrongSessionTokenIsTold(t *testing.T) {
	server := testutil.SharedMinIO(t)
	s := drivertest.With(s3test.Settings(server, server.NewBucket(t)), "sessionToken", "hidden-token")
	s3test.Told(t, s3.Driver, s, "renew the credentials or sessionToken")
}
