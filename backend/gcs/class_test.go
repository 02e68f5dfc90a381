package gcs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// The emulator composes objects of any classes, the store only those of one.
func TestPartsHaveTheClassOfTheWhole(t *testing.T) {
	server := testutil.SharedFakeGCS(t)
	rec := record(t, server)
	b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": server.NewGCSBucket(t), "endpoint": rec.url})
	u, err := b.(backend.PartUploader).UploadParts(t.Context(), "whole", backend.PartsOptions{PartSize: 4, Class: "STANDARD"})
	require.NoError(t, err)
	var parts []backend.Part
	for i := range 33 {
		p, err := u.Put(t.Context(), i+1, backend.Bytes([]byte("data")))
		require.NoError(t, err)
		parts = append(parts, p)
	}
	_, err = u.Complete(t.Context(), parts, backend.Condition{})
	require.NoError(t, err)
	writes := 0
	for _, r := range rec.take() {
		if r.method == "POST" {
			writes++
			require.Contains(t, r.body, `"storageClass":"STANDARD"`, "%s %s", r.path, r.query)
		}
	}
	require.Equal(t, 1+33+2+1, writes, "header, parts, two levels")
}

// Temporary objects of other classes would be billed for months.
func TestNoPartsInColdClasses(t *testing.T) {
	server := testutil.SharedFakeGCS(t)
	settings := backend.Settings{"bucket": server.NewGCSBucket(t), "endpoint": server.Endpoint, "storageClass": "COLDLINE"}
	b := drivertest.Open(t, gcs.Driver, settings)
	for _, class := range []string{"", "ARCHIVE"} {
		_, err := b.(backend.PartUploader).UploadParts(t.Context(), "x", backend.PartsOptions{PartSize: 4, Class: class})
		require.ErrorIs(t, err, errors.ErrUnsupported, class)
	}
	_, err := b.Put(t.Context(), "x", backend.Bytes([]byte(strings.Repeat("x", 9<<20))), backend.PutOptions{})
	require.NoError(t, err)
	o, err := b.Stat(t.Context(), "x")
	require.NoError(t, err)
	require.Equal(t, "COLDLINE", o.Class)
	_, err = b.(backend.PartUploader).UploadParts(t.Context(), "x", backend.PartsOptions{PartSize: 4, Class: "STANDARD"})
	require.NoError(t, err)
}
