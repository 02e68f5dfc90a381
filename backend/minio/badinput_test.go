package minio_test

import (
	"testing"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/s3test"
	"github.com/objrepl/replication/backend/minio"
	"github.com/objrepl/replication/internal/testutil"
)

func TestAWrongClockIsTold(t *testing.T) {
	s3test.TellsAWrongClock(t, minio.Driver, testutil.SharedMinIO(t))
}

func TestAWrongRegionIsTold(t *testing.T) { s3test.TellsAWrongRegion(t, minio.Driver) }

func TestExpiredCredentialsAreTold(t *testing.T) {
	s3test.TellsExpiredCredentials(t, minio.Driver, backend.Settings{"accessKey": "shown", "secretKey": "hidden-secret"})
}
