package minio_test

import (
	"testing"

	"github.com/objrepl/replication/backend/internal/s3test"
	"github.com/objrepl/replication/backend/minio"
)

func TestAnEndpointOfTheWrongSchemeIsSaidToBe(t *testing.T) { s3test.NamesTheScheme(t, minio.Driver) }
