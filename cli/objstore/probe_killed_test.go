package main

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

// A probe that is killed amid an upload leaves objects and the upload in the
// bucket, which the next one removes: that of asking for conditions, the first, or
// one of the suite.
func TestTheProbeAfterOneKilledAmidAnUploadAbortsIt(t *testing.T) {
	for name, before := range map[string]int64{"asking": 0, "suite": 1} {
		t.Run(name, func(t *testing.T) { killAmidUpload(t, before) })
	}
}

func killAmidUpload(t *testing.T, before int64) {
	srv := testutil.SharedMinIO(t)
	bucket, proxy := srv.NewBucket(t), testutil.CountingProxy(t, srv.Endpoint)
	reached := make(chan string, 100)
	var puts atomic.Int64
	proxy.Intercept(func(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(w, r)
		if op == "UploadPart" && puts.Add(1) > before {
			reached <- r.URL.Path
			<-r.Context().Done() // the answer comes too late for the killed
		}
	})
	state := filepath.Join(t.TempDir(), "state")
	location := "minio://" + bucket + "/p?endpoint=" + proxy.URL + "&region=us-east-1&accessKey=env:KEY&secretKey=env:SECRET"
	start := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), binary, "--state-dir", state, "probe", "-o", "json", location)
		cmd.Env = append(os.Environ(), "KEY="+srv.AccessKey, "SECRET="+srv.SecretKey)
		return cmd
	}
	killed := start()
	require.NoError(t, killed.Start())
	path, err := url.PathUnescape(<-reached)
	require.NoError(t, err)
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	proxy.Intercept(nil)

	_, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	uploads := func() (n int) {
		for u := range srv.Client(t).ListIncompleteUploads(t.Context(), bucket, key, false) {
			require.NoError(t, u.Err)
			n++
		}
		return n
	}
	require.Equal(t, 1, uploads(), key)
	out, _ := start().Output() // MinIO is not as declared
	require.Contains(t, string(out), `"features"`)
	require.Zero(t, uploads())
	for o := range srv.Client(t).ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		t.Errorf("left: %s %v", o.Key, o.Err)
	}
}
