package gcs_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// The body is still being written when the store refuses it. What the store said
// counts, not how the body was stopped: who gets it wrong now and then needs many
// tries to show it.
func TestALargeUploadThatIsRefusedSaysWhy(t *testing.T) {
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 503, "backendError", "") })
	body := backend.Bytes(make([]byte, 9<<20))
	for range 100 {
		_, err := b.Put(t.Context(), "key", body, backend.PutOptions{})
		require.ErrorIs(t, err, backend.ErrUnavailable)
	}
}
