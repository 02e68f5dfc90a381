package gcs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// More parts than one request composes: what lies in between is encrypted too.
func TestKMSKeyIsSentWithEveryComposition(t *testing.T) {
	b, rec := proxied(t, "kms_key_name", testKey)
	u, err := b.(backend.PartUploader).UploadParts(t.Context(), "whole", backend.PartsOptions{PartSize: 10})
	require.NoError(t, err)
	var parts []backend.Part
	for i := range 33 {
		p, err := u.Put(t.Context(), i+1, backend.Bytes([]byte("x")))
		require.NoError(t, err)
		parts = append(parts, p)
	}
	_, err = u.Complete(t.Context(), parts, backend.Condition{})
	require.NoError(t, err)
	composed := 0
	for _, r := range rec.take() {
		switch {
		case strings.HasSuffix(r.path, "/compose"):
			composed++
			require.Equal(t, testKey, r.query.Get("kmsKeyName"), r.path)
		case r.method == http.MethodPost:
			require.Equal(t, testKey, r.query.Get("kmsKeyName"), r.path)
		}
	}
	require.Equal(t, 3, composed)
}

func TestKMSKeyIsSentWithEveryStepOfARewrite(t *testing.T) {
	var keys []string
	handler := func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.URL.Query().Get("destinationKmsKeyName"))
		if len(keys) < 3 {
			fmt.Fprintf(w, `{"done": false, "rewriteToken": "t%d"}`, len(keys))
			return
		}
		_, _ = io.WriteString(w, `{"done": true, "resource": {"name": "to", "generation": "9"}}`)
	}
	b := answering(t, handler, "kms_key_name", testKey)
	_, err := b.(backend.Copier).Copy(t.Context(), "from", "to", backend.CopyOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{testKey, testKey, testKey}, keys)
}

// The reasons are the JSON API's
// (https://cloud.google.com/storage/docs/json_api/v1/status-codes).
func TestKMSKeysThatCannotBeUsedAreNamed(t *testing.T) {
	var status int
	var reason string
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, reason, "Cloud KMS says no") }, "kms_key_name", testKey)
	for _, c := range []struct {
		status int
		reason string
	}{
		{400, "cloudKmsBadKey"}, {400, "cloudKmsDisabledKey"}, {400, "cloudKmsEncryptionKeyNotFound"},
		{400, "cloudKmsKeyLocationNotAllowed"}, {403, "cloudKmsDecryptionKeyNotFound"}, {403, "forbidden"},
	} {
		status, reason = c.status, c.reason
		for op, err := range everyError(t.Context(), b) {
			require.ErrorIs(t, err, fs.ErrPermission, "%s %s", op, reason)
			require.False(t, errors.Is(err, fs.ErrNotExist), op)
			require.ErrorContains(t, err, " gcs", op)
			require.ErrorContains(t, err, "check kms_key_name", op)
		}
	}
}
