package testutil

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pkg/xattr"
)

// VersityGW starts a versitygw server on one fresh directory, for the length of
// the test. Objects are plain files there, a "/" in a key is a directory. The
// test is skipped where the server cannot be built, and fails there when the
// environment has CI=true.
func VersityGW(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	return newServer(tb, versitygwSpec, opts)
}

var versitygwSpec = serverSpec{
	name: ServerVersityGW,
	command: func(s *Server, addr string) (args, env []string, err error) {
		args = append([]string{"posix"}, s.args...)
		env = []string{
			"ROOT_ACCESS_KEY_ID=" + s.AccessKey,
			"ROOT_SECRET_ACCESS_KEY=" + s.SecretKey,
			"VGW_REGION=" + s.Region,
			"VGW_PORT=" + addr,
			"VGW_QUIET=true",
		}
		if !hasXattrs(s.Dir) {
			sidecar := filepath.Join(s.work, "sidecar")
			if err := os.MkdirAll(sidecar, 0o755); err != nil {
				return nil, nil, err
			}
			env = append(env, "VGW_META_SIDECAR="+sidecar)
		}
		return append(args, s.Dir), env, nil
	},
	ready: s3Ready,
}

// hasXattrs tells whether the file system keeps the user attributes versitygw
// stores an object's metadata in. It tries, since some file systems answer a read
// of an attribute and refuse to write one.
func hasXattrs(dir string) bool {
	const name = "user.objrepl.probe"
	return xattr.Set(dir, name, []byte("1")) == nil && xattr.Remove(dir, name) == nil
}
