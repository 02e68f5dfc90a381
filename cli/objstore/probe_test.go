package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
	"github.com/objrepl/replication/probe"
)

var update = flag.Bool("update", false, "write golden files")

// A probed server is a place to probe, and how to see that nothing is left in it.
type probed struct {
	url  string
	env  []string
	code int // of a probe
	left func(*testing.T) []string
}

func probedServers(t *testing.T) map[string]func(t *testing.T) probed {
	s3 := func(shared func(testing.TB) *testutil.Server, scheme string, code int) func(*testing.T) probed {
		return func(t *testing.T) probed {
			srv := shared(t)
			bucket := srv.NewBucket(t)
			return probed{
				scheme + "://" + bucket + "/some/prefix?endpoint=" + srv.Endpoint + "&region=us-east-1&accessKey=env:KEY&secretKey=env:SECRET",
				[]string{"KEY=" + srv.AccessKey, "SECRET=" + srv.SecretKey}, code,
				func(t *testing.T) []string { return leftInBucket(t, srv, bucket) },
			}
		}
	}
	return map[string]func(*testing.T) probed{
		"local": func(t *testing.T) probed {
			dir := t.TempDir()
			return probed{url: dir, left: func(t *testing.T) []string { return leftInDirectory(t, dir) }}
		},
		"memory":          func(*testing.T) probed { return probed{url: "memory://m"} },
		"minio":           s3(testutil.SharedMinIO, "minio", 1),
		"s3-on-minio":     s3(testutil.SharedMinIO, "s3", 1),
		"s3-on-versitygw": s3(testutil.SharedVersityGW, "s3", 1),
		"gcs-on-fake": func(t *testing.T) probed {
			srv := testutil.SharedFakeGCS(t)
			return probed{url: "gs://" + srv.NewGCSBucket(t) + "/some/prefix?endpoint=" + srv.Endpoint, code: 1} // ignores ifSourceMetagenerationMatch
		},
		"azblob-on-azurite": func(t *testing.T) probed {
			srv := testutil.SharedAzurite(t)
			return probed{
				"azblob://" + srv.NewContainer(t) + "/some/prefix?endpoint=" + srv.BlobEndpoint() + "&accountName=" + srv.AccessKey + "&accountKey=env:SECRET",
				[]string{"SECRET=" + srv.SecretKey}, 0, nil,
			}
		},
	}
}

// leftInBucket returns all objects and unfinished uploads of a bucket.
func leftInBucket(t *testing.T, srv *testutil.Server, bucket string) (left []string) {
	client := srv.Client(t)
	for o := range client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		require.NoError(t, o.Err)
		left = append(left, o.Key)
	}
	// MinIO lists uploads of whole keys alone.
	return left
}

// leftInDirectory returns what a store in a directory holds, but for its locks and
// the directories that the driver keeps.
func leftInDirectory(t *testing.T, dir string) (left []string) {
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		inner, _ := filepath.Rel(dir, path)
		if !strings.HasPrefix(inner, filepath.Join(".objrepl", "locks")) && (!d.IsDir() || !strings.HasPrefix(inner, ".objrepl")) && inner != "." {
			left = append(left, inner)
		}
		return err
	}))
	return left
}

// objstore runs the binary and returns its output and exit code.
func objstore(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), append([]string{"OBJSTORE_STATE_DIR=" + filepath.Join(t.TempDir(), "state")}, env...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

var changing = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\.objrepl-probe-[A-Z2-7]{26}`), ".objrepl-probe-NAME"},
	{regexp.MustCompile(`(?m)^[\d,]+ requests, .* read, in .*$`), "COST"},
	{regexp.MustCompile(`(?m)^      .*\n`), ""}, // failures, which name requests and ports
}

// What real servers are found to honour, as a person sees it.
func TestProbeOfRealServers(t *testing.T) {
	for name, server := range probedServers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := server(t)
			stdout, stderr, code := objstore(t, p.env, "probe", p.url)
			for _, c := range changing {
				stdout = c.pattern.ReplaceAllString(stdout, c.with)
			}
			golden := filepath.Join("testdata", "probe", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(stdout), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), stdout, stderr)
			require.Equal(t, p.code, code, stderr)
			require.Regexp(t, `^probing [^?\n]*\nabout [\d,]+ requests, .* to write and .* to read\n`, stderr)
			for _, secret := range p.env {
				_, secret, _ = strings.Cut(secret, "=")
				require.NotContains(t, stdout+stderr, secret)
			}
			if p.left != nil {
				require.Empty(t, p.left(t), "what is left in the store")
			}
		})
	}
}

// The fields of the JSON are stable.
func TestProbeInJSON(t *testing.T) {
	dir := t.TempDir()
	stdout, stderr, code := objstore(t, nil, "probe", "-o", "json", "--backend=local", "--setting=path="+dir)
	require.Zero(t, code, stderr)
	shown := strings.ReplaceAll(stdout, dir, "/DIR")
	shown = regexp.MustCompile(`("(?:duration_ms|requests|bytes_written|bytes_read)": )\d+`).ReplaceAllString(shown, "${1}0")
	shown = changing[0].pattern.ReplaceAllString(shown, changing[0].with)
	golden := filepath.Join("testdata", "probe", "local.json")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(shown), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), shown)
	var r probe.Result
	decoder := json.NewDecoder(strings.NewReader(stdout))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&r))
	require.True(t, r.AsDeclared)
	require.NotEmpty(t, r.Features)
	require.NotEmpty(t, r.Checks)
}
