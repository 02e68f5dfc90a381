package s3_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/backend/internal/s3test"
	"github.com/objrepl/replication/backend/minio"
	"github.com/objrepl/replication/backend/s3"
	"github.com/objrepl/replication/internal/testutil"
)

// bare leaves nothing of this machine's AWS configuration.
func bare(t *testing.T) {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestFaultySettingsAreNamed(t *testing.T) {
	bare(t)
	for name, c := range map[string]struct {
		settings backend.Settings
		names    string
	}{
		"no bucket":            {backend.Settings{"region": "eu-west-1"}, "bucket"},
		"key without secret":   {backend.Settings{"bucket": "abc", "region": "eu-west-1", "accessKey": "a"}, "secretKey"},
		"secret without key":   {backend.Settings{"bucket": "abc", "region": "eu-west-1", "secretKey": "hidden"}, "accessKey"},
		"token without either": {backend.Settings{"bucket": "abc", "region": "eu-west-1", "sessionToken": "hidden"}, "sessionToken"},
		"no region":            {backend.Settings{"bucket": "abc"}, "region"},
		"no region, with keys": {backend.Settings{"bucket": "abc", "accessKey": "a", "secretKey": "hidden"}, "region"},
		"no such profile":      {backend.Settings{"bucket": "abc", "profile": "nobody"}, "nobody"},
		"endpoint":             {backend.Settings{"bucket": "abc", "endpoint": "ftp://host"}, "endpoint"},
	} {
		_, err := s3.Driver.Open(t.Context(), c.settings)
		require.ErrorContains(t, err, c.names, name)
		require.NotContains(t, err.Error(), "hidden", name)
	}
	_, err := s3.Driver.Open(t.Context(), backend.Settings{"bucket": "data--use1-az4--x-s3", "region": "us-east-1"})
	require.ErrorIs(t, err, errors.ErrUnsupported, "a directory bucket lists in no order")
}

func TestSchemaKeepsSecrets(t *testing.T) {
	shown := s3.Driver.Schema().Redact(map[string]string{"accessKey": "id", "secretKey": "x", "sessionToken": "y"})
	require.Equal(t, map[string]string{"accessKey": "id", "secretKey": backend.Redacted, "sessionToken": backend.Redacted}, shown)
}

func TestLocationDoesNotDependOnDriverOrRegion(t *testing.T) {
	bare(t)
	location := func(d backend.Driver, s backend.Settings) string {
		s["bucket"], s["accessKey"], s["secretKey"] = "data", "a", "b"
		return drivertest.Open(t, d, s).Properties().Location
	}
	const aws = "s3://s3.amazonaws.com/data"
	require.Equal(t, aws, location(s3.Driver, backend.Settings{"region": "eu-west-1"}))
	require.Equal(t, aws, location(s3.Driver, backend.Settings{"region": "us-east-1", "forcePathStyle": "true"}))
	require.Equal(t, aws, location(s3.Driver, backend.Settings{"endpoint": "https://s3.eu-west-1.amazonaws.com"}))
	require.Equal(t, aws, location(minio.Driver, backend.Settings{"endpoint": "https://s3.eu-west-1.amazonaws.com"}))
	for _, d := range []backend.Driver{s3.Driver, minio.Driver} {
		require.Equal(t, "s3://127.0.0.1:9000/data", location(d, backend.Settings{"endpoint": "http://127.0.0.1:9000"}))
	}
}

// AWS keeps every key apart; who else does is not known.
func TestKeysAreRefusedOutsideOfAWSAlone(t *testing.T) {
	bare(t)
	for region, ok := range map[string]bool{"https://s3.eu-west-1.amazonaws.com": true, "https://store.example": false} {
		b := drivertest.Open(t, s3.Driver, backend.Settings{"bucket": "data", "endpoint": region, "accessKey": "a", "secretKey": "b"})
		require.Equal(t, ok, b.Properties().CheckKey("a//b") == nil, region)
	}
}

func TestMissingCredentialsAreRefusedAccess(t *testing.T) {
	bare(t)
	b := drivertest.Open(t, s3.Driver, backend.Settings{"bucket": "data", "endpoint": "http://" + drivertest.ClosedPort(t)})
	_, err := b.Stat(t.Context(), "key")
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "accessKey")
	require.True(t, backend.Definite(err))
}

// On a machine that is no cloud instance, nobody answers the last link of the
// chain.
func TestCredentialChainDoesNotHang(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a timeout")
	}
	bare(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close() // never accepts
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"+listener.Addr().String())
	b := drivertest.Open(t, s3.Driver, backend.Settings{"bucket": "data", "endpoint": "http://" + drivertest.ClosedPort(t)})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = b.Stat(ctx, "key")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), 2*time.Second)

	begin = time.Now()
	_, err = b.Stat(t.Context(), "key")
	require.ErrorIs(t, err, fs.ErrPermission)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(begin), 15*time.Second)
}

func TestProfileGivesCredentialsAndRegion(t *testing.T) {
	server := testutil.SharedMinIO(t)
	bare(t)
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte("[profile test]\nregion = "+server.Region+"\naws_access_key_id = "+server.AccessKey+"\naws_secret_access_key = "+server.SecretKey+"\n"), 0o600))
	t.Setenv("AWS_CONFIG_FILE", file)
	b := drivertest.Open(t, s3.Driver, backend.Settings{"bucket": server.NewBucket(t), "endpoint": server.Endpoint, "profile": "test"})
	_, err := b.Put(t.Context(), "key", backend.Bytes([]byte("x")), backend.PutOptions{})
	require.NoError(t, err)
}

func TestWrongCredentialsAreTold(t *testing.T) {
	server := testutil.SharedMinIO(t)
	settings := s3test.Settings(server, server.NewBucket(t))
	for name, value := range map[string]string{"accessKey": "nobody", "secretKey": "wrongwrong"} {
		for _, d := range []backend.Driver{s3.Driver, minio.Driver} {
			b := drivertest.Open(t, d, drivertest.With(settings, name, value))
			_, err := b.Put(t.Context(), "key", backend.Bytes([]byte("x")), backend.PutOptions{})
			require.ErrorIs(t, err, fs.ErrPermission)
			require.ErrorContains(t, err, name)
			require.NotContains(t, err.Error(), "wrongwrong")
			_, err = b.Stat(t.Context(), "key")
			require.ErrorIs(t, err, fs.ErrPermission)
			for _, err := range b.List(t.Context(), backend.ListOptions{}) {
				require.ErrorIs(t, err, fs.ErrPermission)
			}
		}
	}
}
