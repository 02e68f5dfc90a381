package testutil

import (
	"crypto/rand"
	"encoding/base64"
	"path/filepath"
	"testing"
)

// MinIO starts a MinIO server on one fresh directory, for the length of the test.
// The test is skipped where the server cannot be built, and fails there when the
// environment has CI=true.
func MinIO(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	return newServer(tb, minioSpec, opts)
}

// WithKMSKey gives MinIO one key to encrypt objects with, of that name, in place
// of a key management service
// (https://min.io/docs/minio/linux/reference/minio-server/settings/kes.html).
func WithKMSKey(name string) Option {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return WithEnv("MINIO_KMS_SECRET_KEY=" + name + ":" + base64.StdEncoding.EncodeToString(key))
}

var minioSpec = serverSpec{
	name: ServerMinIO,
	command: func(s *Server, addr string) (args, env []string, err error) {
		args = append([]string{
			"server",
			"--address", addr,
			"--console-address", "127.0.0.1:0",
			"--certs-dir", filepath.Join(s.work, "certs"), // not the user's own ~/.minio
		}, s.args...)
		env = []string{
			"MINIO_ROOT_USER=" + s.AccessKey,
			"MINIO_ROOT_PASSWORD=" + s.SecretKey,
			"MINIO_SITE_REGION=" + s.Region,
			"MINIO_BROWSER=off",
			"MINIO_UPDATE=off",   // asks no one about a newer version
			"MINIO_CI_CD=on",     // small buffer pools
			"_MINIO_SCANNER=off", // no background crawl of the data
		}
		return append(args, s.Dir), env, nil
	},
	ready: s3Ready,
}
