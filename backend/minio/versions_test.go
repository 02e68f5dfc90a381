package minio_test

import (
	"testing"

	"github.com/objrepl/replication/backend/internal/s3test"
	"github.com/objrepl/replication/backend/minio"
	"github.com/objrepl/replication/internal/testutil"
)

func TestKeepsTheContractInAVersionedBucket(t *testing.T) {
	s3test.ConformVersioned(t, minio.Driver, testutil.SharedMinIO(t), s3test.MinIO)
}
