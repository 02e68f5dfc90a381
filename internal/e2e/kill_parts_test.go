//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

// A process is killed at each moment of an upload in parts: when a request is on
// its way, and when the server has answered it. The next one leaves nothing on
// the server's disk, and the object right.
func TestNoUploadIsLeftWhereverItsProcessIsKilled(t *testing.T) {
	binary := testutil.CLI(t)
	server := testutil.MinIO(t)
	dir, _ := bigFile(t, 80*mib)
	settle(t, dir)
	for _, scheme := range []string{"s3", "minio"} {
		for _, op := range []string{"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"} {
			for _, answered := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %s answered %v", scheme, op, answered), func(t *testing.T) {
					bucket := newBucketStore(t, server)
					proxy := testutil.CountingProxy(t, server.Endpoint)
					state := filepath.Join(t.TempDir(), "state")
					to := fmt.Sprintf("%s://%s?endpoint=%s&region=us-east-1&accessKey=env:KILL_KEY&secretKey=env:KILL_SECRET", scheme, bucket.bucket, url.QueryEscape(proxy.URL))
					sync := func() *exec.Cmd {
						cmd := exec.CommandContext(t.Context(), binary, "--state-dir", state, "sync", dir, to)
						cmd.Env = append(os.Environ(), "KILL_KEY="+server.AccessKey, "KILL_SECRET="+server.SecretKey)
						return cmd
					}
					killAt(t, proxy, sync(), answered, func(got string, r *http.Request) bool { return got == op })
					if op == "CreateMultipartUpload" {
						require.Equal(t, answered, len(unfinishedOn(server)) > 0, "what the killed process left")
					}
					out, err := sync().CombinedOutput()
					require.NoError(t, err, "%s", out)
					want, _, err := folder{path: dir}.sum(t.Context(), "big")
					require.NoError(t, err)
					got, gone, err := bucket.sum(t.Context(), "big")
					require.NoError(t, err)
					require.False(t, gone)
					require.Equal(t, want, got)
					require.Empty(t, unfinishedOn(server), "%s", out)
					requireNoUploadJournals(t, state)
				})
			}
		}
	}
}

// killAt runs a process until its first request that matches, but for those of
// probes, is on its way or has been answered, and kills it then.
func killAt(t *testing.T, proxy *testutil.Proxy, cmd *exec.Cmd, answered bool, match func(op string, r *http.Request) bool) {
	t.Helper()
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	var killed atomic.Bool
	running := make(chan struct{})
	proxy.Intercept(func(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if strings.Contains(r.URL.Path, probeName) || strings.Contains(r.URL.RawQuery, probeName) || !match(op, r) || killed.Swap(true) {
			next.ServeHTTP(w, r)
			return
		}
		if answered {
			// The answer is there, and nobody gets it.
			answer := &unheard{ResponseWriter: w, header: http.Header{}}
			next.ServeHTTP(answer, r)
			if answer.code/100 != 2 && answer.code != http.StatusPermanentRedirect { // more bytes of a part, at Google
				t.Errorf("%s %s: %d", r.Method, r.URL, answer.code)
			}
		}
		<-running
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		panic(http.ErrAbortHandler)
	})
	require.NoError(t, cmd.Start())
	close(running)
	require.Error(t, cmd.Wait(), out.String())
	require.True(t, killed.Load(), out.String())
	proxy.Intercept(nil)
}

// requireNoUploadJournals wants no journal in a state directory that names an
// upload. One without an id may stay for a while, to look for what comes late.
func requireNoUploadJournals(t *testing.T, state string) {
	t.Helper()
	journals, err := filepath.Glob(filepath.Join(state, "policies", "*", "uploads", "*"))
	require.NoError(t, err)
	for _, name := range journals {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NotContains(t, string(raw), `"upload":`)
	}
}

// unheard is an answer that goes no further, but for the leave to send a body.
type unheard struct {
	http.ResponseWriter
	header http.Header
	code   int
}

func (u *unheard) Header() http.Header { return u.header }

func (u *unheard) WriteHeader(code int) {
	if u.code = code; code < http.StatusOK {
		u.ResponseWriter.WriteHeader(code)
	}
}

func (u *unheard) Write(p []byte) (int, error) { return len(p), nil }

// unfinishedOn returns the files of unfinished uploads on a server's disk.
func unfinishedOn(server *testutil.Server) []string {
	return slices.DeleteFunc(filesBelow(filepath.Join(server.Dir, ".minio.sys", "multipart")), func(path string) bool {
		return strings.Contains(path, "/.trash/")
	})
}
