//go:build linux

package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/internal/testutil"
)

// A killMoment is a kind of request of an upload in parts.
type killMoment struct {
	name  string
	match func(op string, r *http.Request) bool
}

// bigHeader is the header of uploads of the key "big", which no probe has.
var bigHeader = fmt.Sprintf(".objrepl/uploads/%x/", sha256.Sum256([]byte("big")))

// Uploads of Google Cloud Storage are objects of their own: a header, the parts,
// and what is composed of them.
var killsOfGCS = []killMoment{
	{"begins", func(_ string, r *http.Request) bool {
		return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Query().Get("name"), bigHeader)
	}},
	{"part", func(_ string, r *http.Request) bool { return r.URL.Query().Has("upload_id") && r.ContentLength > mib }},
	{"composes", func(_ string, r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/big/compose") }},
	{"removes", func(_ string, r *http.Request) bool {
		return r.Method == http.MethodDelete && strings.Contains(r.URL.Path, bigHeader)
	}},
}

// Those of Azure are blocks of the object, and notes among them.
var killsOfAzure = []killMoment{
	{"begins", func(_ string, r *http.Request) bool {
		return r.URL.Query().Get("comp") == "block" && r.ContentLength == 1
	}},
	{"part", func(_ string, r *http.Request) bool {
		return r.URL.Query().Get("comp") == "block" && r.ContentLength > mib
	}},
	{"commits", func(_ string, r *http.Request) bool {
		return r.Method == http.MethodPut && r.URL.Query().Get("comp") == "blocklist"
	}},
}

// As on S3: wherever a process is killed amid an upload in parts, the next one
// leaves the object right, and nothing else.
func TestNoUploadIsLeftAtGoogleOrAzureWhereverItsProcessIsKilled(t *testing.T) {
	binary := testutil.CLI(t)
	dir, _ := bigFile(t, 80*mib)
	settle(t, dir)
	want, err := os.ReadFile(filepath.Join(dir, "big"))
	require.NoError(t, err)

	kill := func(t *testing.T, m killMoment, answered bool, proxy *testutil.Proxy, to, key string, open func() (backend.Backend, error)) {
		state := filepath.Join(t.TempDir(), "state")
		sync := func() *exec.Cmd {
			cmd := exec.CommandContext(t.Context(), binary, "--state-dir", state, "sync", dir, to)
			cmd.Env = append(os.Environ(), "KILL_KEY="+key)
			return cmd
		}
		killAt(t, proxy, sync(), answered, m.match)
		out, err := sync().CombinedOutput()
		require.NoError(t, err, "%s", out)
		b, err := open()
		require.NoError(t, err)
		defer b.Close()
		_, body, err := b.Open(t.Context(), "big", backend.OpenOptions{})
		require.NoError(t, err)
		defer body.Close()
		got, err := io.ReadAll(body)
		require.NoError(t, err)
		require.True(t, string(want) == string(got), "other bytes")
		requireNoUploadJournals(t, state)
	}
	for _, answered := range []bool{false, true} {
		for _, m := range killsOfGCS {
			t.Run(fmt.Sprintf("gs %s answered %v", m.name, answered), func(t *testing.T) {
				server := testutil.SharedFakeGCS(t)
				proxy := testutil.CountingProxy(t, server.Endpoint)
				store := gcsBucket(t, server)
				to := fmt.Sprintf("gs://%s?endpoint=%s", store["bucket"], url.QueryEscape(proxy.URL))
				kill(t, m, answered, proxy, to, "", func() (backend.Backend, error) { return gcs.Driver.Open(t.Context(), store) })
				require.NotContains(t, namesInGCS(t, store), ".objrepl/")
			})
		}
		for _, m := range killsOfAzure {
			t.Run(fmt.Sprintf("azblob %s answered %v", m.name, answered), func(t *testing.T) {
				store, proxy := azureContainer(t)
				to := fmt.Sprintf("azblob://%s?accountName=%s&accountKey=env:KILL_KEY&endpoint=%s", store["containerName"], store["accountName"], url.QueryEscape(store["endpoint"]))
				kill(t, m, answered, proxy, to, store["accountKey"], func() (backend.Backend, error) { return azure.Driver.Open(t.Context(), store) })
			})
		}
	}
}
