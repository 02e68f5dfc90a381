package s3_test

import (
	"testing"

	"github.com/objrepl/replication/backend/internal/s3test"
	"github.com/objrepl/replication/backend/s3"
)

func TestAnEndpointOfTheWrongSchemeIsSaidToBe(t *testing.T) { s3test.NamesTheScheme(t, s3.Driver) }
