package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/objrepl/replication/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, testutil.ServerMinIO) }

// build compiles an example and returns its binary.
func build(t *testing.T, name string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if out, err := exec.Command("go", "build", "-o", binary, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return binary
}

func run(t *testing.T, env []string, binary string, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("run %s: %v\n%s", filepath.Base(binary), err, out)
	}
	return string(out)
}

// sampleKeys are the files below data, as keys.
func sampleKeys(t *testing.T) []string {
	t.Helper()
	var keys []string
	err := filepath.WalkDir("data", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel("data", path)
		keys = append(keys, filepath.ToSlash(rel))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

// TestEveryExampleIsRun fails for an example that no test here runs.
func TestEveryExampleIsRun(t *testing.T) {
	mains, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"embed/main.go", "local-to-s3/main.go"}
	for i := range mains {
		mains[i] = filepath.ToSlash(mains[i])
	}
	if !slices.Equal(mains, want) {
		t.Errorf("examples are %q, the tests run %q", mains, want)
	}
}

func TestEmbedSecondPassFindsNothingToDo(t *testing.T) {
	binary := build(t, "embed")
	out := run(t, nil, binary)
	want := "pass 1: synced 3 objects, 11 bytes, unchanged 0\npass 2: synced 0 objects, 0 bytes, unchanged 3\n"
	if out != want {
		t.Errorf("output:\n%swant:\n%s", out, want)
	}

	dst := filepath.Join(t.TempDir(), "dst")
	run(t, nil, binary, "data", dst)
	for _, key := range sampleKeys(t) {
		got, err := os.ReadFile(filepath.Join(dst, filepath.FromSlash(key)))
		if err != nil {
			t.Error(err)
			continue
		}
		if want, _ := os.ReadFile(filepath.Join("data", filepath.FromSlash(key))); string(got) != string(want) {
			t.Errorf("%s differs", key)
		}
	}
}

func TestLocalToS3(t *testing.T) {
	srv := testutil.SharedMinIO(t)
	bucket := srv.NewBucket(t)
	env := []string{"AWS_ACCESS_KEY_ID=" + srv.AccessKey, "AWS_SECRET_ACCESS_KEY=" + srv.SecretKey}
	binary := build(t, "local-to-s3")
	args := []string{"-dir", "data", "-bucket", bucket, "-endpoint", srv.Endpoint, "-region", srv.Region, "-state", t.TempDir()}

	keys := sampleKeys(t)
	out := run(t, env, binary, args...)
	if n := strings.Count(out, "wrote "); n != len(keys) {
		t.Errorf("%d objects reported, want %d:\n%s", n, len(keys), out)
	}
	if out := run(t, env, binary, args...); !strings.HasPrefix(out, "synced 0, ") {
		t.Errorf("second run: %s", out)
	}

	var got []string
	for o := range srv.Client(t).ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		got = append(got, strings.TrimPrefix(o.Key, "backup/"))
	}
	if !slices.Equal(got, keys) {
		t.Errorf("bucket holds %q, want %q", got, keys)
	}
}
