package s3_test

import (
	"testing"

	"github.com/objrepl/replication/backend/internal/s3test"
	"github.com/objrepl/replication/backend/s3"
)

func TestWhatIsKeptIsEncrypted(t *testing.T) {
	server := s3test.Encrypting(t)
	t.Run("all that is written", func(t *testing.T) { s3test.EncryptsAtRest(t, s3.Driver, server) })
	t.Run("contract", func(t *testing.T) { s3test.ConformsEncrypted(t, s3.Driver, server, "SSE-KMS") })
	t.Run("wrong keys", func(t *testing.T) { s3test.NamesWrongKeys(t, s3.Driver, server) })
}
