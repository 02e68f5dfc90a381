package e2e

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/objrepl/replication"

// sdks are the packages, by how they begin, that only the driver they stand with
// may bring into a program: its SDK, and what comes along.
var sdks = map[string][]string{
	"/backend/s3":    {"github.com/aws/"},
	"/backend/minio": {"github.com/minio/minio-go"},
	"/backend/gcs": {
		"cloud.google.com/", "google.golang.org/api/", "google.golang.org/grpc", "google.golang.org/genproto/",
		"go.opentelemetry.io/", "github.com/googleapis/", "github.com/GoogleCloudPlatform/", "github.com/envoyproxy/",
	},
	"/backend/azure": {"github.com/Azure", "github.com/golang-jwt/", "github.com/pkg/browser"}, // and AzureAD
	"nobody yet":     {"github.com/quic-go", "github.com/fsnotify"},
}

// ownerOf returns the driver whose SDK a package is of, or nothing.
func ownerOf(pkg string) string {
	for driver, beginnings := range sdks {
		for _, beginning := range beginnings {
			if strings.HasPrefix(pkg, beginning) {
				return driver
			}
		}
	}
	return ""
}

// packages runs go list and returns import paths, those of this module without
// its name.
func packages(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	var paths []string
	for line := range strings.Lines(string(out)) {
		path, _, _ := strings.Cut(strings.TrimSpace(line), " ") // of tests " [package.test]" follows
		if path == module {
			path = ""
		}
		paths = append(paths, strings.TrimPrefix(path, module))
	}
	return paths
}

// testSupport are packages for the tests of drivers alone.
var testSupport = []string{"/backend/internal/s3test", "/backend/internal/drivertest"}

// libraries are the packages that programs import, or that those import.
func libraries(t *testing.T) []string {
	all := packages(t, ".", "./backend/...", "./probe", "./internal/ledger", "./internal/durable")
	return slices.DeleteFunc(all, func(pkg string) bool { return slices.Contains(testSupport, pkg) })
}

// Cloud SDKs are optional because nobody compiles a package they do not
// import; that holds only while the packages keep apart.
func TestPackagesKeepOthersSDKsOut(t *testing.T) {
	http := []string{"/backend/s3", "/backend/minio", "/backend/internal/s3proto", "/backend/gcs", "/backend/azure"}
	shared := map[string][]string{
		"/backend/internal/s3proto":  {"/backend/s3", "/backend/minio"},
		"/backend/internal/pool":     http,
		"/backend/internal/answer":   http,
		"/backend/internal/usermeta": append(http, "/backend/local", "/backend/memory"),
	}
	for _, pkg := range libraries(t) {
		found := ""
		for _, dep := range packages(t, "-deps", module+pkg) {
			if owner := ownerOf(dep); owner != "" {
				require.Equal(t, owner, pkg, "%s imports %s", module+pkg, dep)
				found = owner
			}
			if strings.HasPrefix(dep, "/backend/") && strings.HasPrefix(pkg, "/backend") && dep != pkg {
				require.Contains(t, shared[dep], pkg, "%s imports %s", module+pkg, module+dep)
			}
		}
		_, driver := sdks[pkg]
		require.Equal(t, driver, found != "", "the SDK of %s goes by another name now", module+pkg)
	}
}

// Nor does a driver's test bring another's SDK, but for minio-go, with which all
// set their servers up: who tests one driver, of a fork for example, needs no other.
func TestTestsKeepOthersSDKsOut(t *testing.T) {
	for _, pkg := range libraries(t) {
		for _, dep := range packages(t, "-test", "-deps", module+pkg) {
			if owner := ownerOf(dep); owner != "" && owner != "/backend/minio" {
				require.Equal(t, owner, pkg, "a test of %s imports %s", module+pkg, dep)
			}
		}
	}
}

func TestNothingForTestsIsCompiledIntoPrograms(t *testing.T) {
	for _, pkg := range append(libraries(t), "/cli/objstore", "/examples/embed", "/examples/local-to-s3") {
		for _, dep := range packages(t, "-deps", module+pkg) {
			for _, beginning := range []string{
				"github.com/stretchr/testify", "go.uber.org/goleak", "pgregory.net/rapid", "github.com/rogpeppe/go-internal",
				"/internal/testutil", "/internal/e2e", testSupport[0], testSupport[1],
			} {
				require.False(t, strings.HasPrefix(dep, beginning), "%s imports %s", module+pkg, dep)
			}
			// The conformance suite is for those who test a driver or probe a store.
			if pkg != "/backend/backendtest" && pkg != "/probe" && !strings.HasPrefix(pkg, "/cli/") {
				require.NotEqual(t, "testing", dep, "%s imports it", module+pkg)
				require.NotEqual(t, "/backend/backendtest", dep, "%s imports it", module+pkg)
			}
		}
	}
}
