package minio_test

import (
	"testing"

	"github.com/objrepl/replication/backend/internal/s3test"
	"github.com/objrepl/replication/backend/minio"
)

func TestWhatIsKeptIsEncrypted(t *testing.T) {
	server := s3test.Encrypting(t)
	t.Run("all that is written", func(t *testing.T) { s3test.EncryptsAtRest(t, minio.Driver, server) })
	t.Run("contract", func(t *testing.T) { s3test.ConformsEncrypted(t, minio.Driver, server, "SSE-S3") })
	t.Run("wrong keys", func(t *testing.T) { s3test.NamesWrongKeys(t, minio.Driver, server) })
}
