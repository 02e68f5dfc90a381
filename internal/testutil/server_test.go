package testutil

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var launchers = []struct {
	name   string
	start  func(testing.TB, ...Option) *Server
	shared func(testing.TB) *Server
	spec   serverSpec
}{
	{ServerMinIO, MinIO, SharedMinIO, minioSpec},
	{ServerVersityGW, VersityGW, SharedVersityGW, versitygwSpec},
}

func TestServerKeepsDataOverStopAndKill(t *testing.T) {
	for _, l := range launchers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			srv := l.start(t)
			bucket, client := srv.NewBucket(t), srv.Client(t)
			put(t, client, bucket, "dir/key", "hello")

			for _, down := range []func(testing.TB){srv.Stop, srv.Kill} {
				pid, endpoint := srv.PID(), srv.Endpoint
				down(t)
				_, err := net.Dial("tcp", strings.TrimPrefix(endpoint, "http://"))
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				requireGone(t, pid)

				srv.Start(t)
				assert.Equal(t, endpoint, srv.Endpoint)
				assert.NotEqual(t, pid, srv.PID())
				assert.Equal(t, "hello", get(t, client, bucket, "dir/key"))
			}
		})
	}
}

func TestServerEndsWithItsTest(t *testing.T) {
	for _, l := range launchers {
		t.Run(l.name, func(t *testing.T) {
			var pid int
			var dir string
			t.Run("inner", func(t *testing.T) {
				srv := l.start(t)
				pid, dir = srv.PID(), srv.Dir
				assert.DirExists(t, dir)
			})
			if pid == 0 {
				t.SkipNow() // the inner test was skipped and says why
			}
			requireGone(t, pid)
			assert.NoDirExists(t, dir)
		})
	}
}

func TestServerTakesAnotherPortWhenItsOwnIsTaken(t *testing.T) {
	for _, l := range launchers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer func() { _ = taken.Close() }()
			ports := []int{taken.Addr().(*net.TCPAddr).Port}
			srv := l.start(t, func(s *Server) {
				s.port = func() (int, error) {
					if len(ports) == 0 {
						return freePort()
					}
					port := ports[0]
					ports = ports[1:]
					return port, nil
				}
			})
			assert.Empty(t, ports, "the taken port was tried")
			assert.NotEqual(t, "http://"+taken.Addr().String(), srv.Endpoint)
			srv.NewBucket(t)
		})
	}
}

func TestServerThatCannotStartReportsItsOutput(t *testing.T) {
	for _, l := range launchers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			_, err := startServer(l.spec, t.TempDir(), []Option{WithArgs("--no-such-flag")})
			if unavailable := new(unavailableError); errors.As(err, &unavailable) {
				giveUp(t, err)
			}
			require.ErrorContains(t, err, "no-such-flag")
		})
	}
}

func TestServerServesTheRegionAskedFor(t *testing.T) {
	for _, l := range launchers {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			srv := l.start(t, WithRegion("eu-test-1"))
			bucket := srv.NewBucket(t)
			region, err := srv.Client(t).GetBucketLocation(t.Context(), bucket)
			require.NoError(t, err)
			assert.Equal(t, "eu-test-1", region)
		})
	}
}

func TestVersityGWWithSidecarInsteadOfXattrs(t *testing.T) {
	sidecar := t.TempDir()
	srv := VersityGW(t, WithEnv("VGW_META_SIDECAR="+sidecar))
	bucket, client := srv.NewBucket(t), srv.Client(t)
	_, err := client.PutObject(t.Context(), bucket, "key", strings.NewReader("x"), 1,
		minio.PutObjectOptions{UserMetadata: map[string]string{"Colour": "red"}})
	require.NoError(t, err)
	info, err := client.StatObject(t.Context(), bucket, "key", minio.StatObjectOptions{})
	require.NoError(t, err)
	assert.Equal(t, "red", info.UserMetadata["Colour"])
	entries, err := os.ReadDir(sidecar)
	require.NoError(t, err)
	assert.NotEmpty(t, entries)
}

func TestSharedServerIsOnePerProcessAndCannotBeStopped(t *testing.T) {
	for _, l := range launchers {
		t.Run(l.name, func(t *testing.T) {
			first := l.shared(t)
			assert.Same(t, first, l.shared(t))
			assert.NotEqual(t, first.NewBucket(t), first.NewBucket(t))

			for _, down := range []func(testing.TB){first.Stop, first.Kill} {
				fake := &fakeTB{TB: t}
				fake.run(func() { down(fake) })
				assert.Contains(t, fake.fatal, "shared server")
			}
			assert.NoError(t, s3Ready(t.Context(), first), "still running")
		})
	}
}

func TestMissingServerSkipsExceptInCI(t *testing.T) {
	unavailable := &unavailableError{errors.New("no network")}
	for _, c := range []struct {
		name, ci   string
		err        error
		fatal, skp string
	}{
		{name: "cannot be built", err: unavailable, skp: "no network"},
		{name: "cannot be built in CI", ci: "true", err: unavailable, fatal: "no network"},
		{name: "built but does not start", err: errors.New("ended"), fatal: "ended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CI", c.ci)
			fake := &fakeTB{TB: t}
			fake.run(func() { giveUp(fake, c.err) })
			assert.Equal(t, c.fatal, fake.fatal)
			if c.skp == "" {
				assert.Empty(t, fake.skipped)
			} else {
				assert.Contains(t, fake.skipped, c.skp)
				assert.Contains(t, fake.skipped, "buildservers")
			}
		})
	}
}

// fakeTB records how a test would have ended.
type fakeTB struct {
	testing.TB
	fatal, skipped string
}

// run runs f as a test, which Fatal and Skip leave early.
func (f *fakeTB) run(test func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		test()
	}()
	<-done
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Fatal(args ...any) {
	f.fatal = fmt.Sprint(args...)
	runtime.Goexit()
}

func (f *fakeTB) Skipf(format string, args ...any) {
	f.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func put(t *testing.T, client *minio.Client, bucket, key, body string) {
	t.Helper()
	_, err := client.PutObject(t.Context(), bucket, key, strings.NewReader(body), int64(len(body)), minio.PutObjectOptions{})
	require.NoError(t, err)
}

func get(t *testing.T, client *minio.Client, bucket, key string) string {
	t.Helper()
	obj, err := client.GetObject(t.Context(), bucket, key, minio.GetObjectOptions{})
	require.NoError(t, err)
	defer func() { _ = obj.Close() }()
	var body bytes.Buffer
	_, err = io.Copy(&body, obj)
	require.NoError(t, err)
	return body.String()
}

// requireGone fails if a process with this id runs. Windows has no signal 0.
func requireGone(t *testing.T, pid int) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	p, err := os.FindProcess(pid)
	require.NoError(t, err)
	require.ErrorIs(t, p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
