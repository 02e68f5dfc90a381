package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/objrepl/replication"

// Cloud SDKs are optional because nobody compiles a package they do not
// import; that holds only while the packages keep apart.
func TestPackagesKeepOthersSDKsOut(t *testing.T) {
	sdks := []string{
		"github.com/aws/", "github.com/minio/minio-go", "cloud.google.com/", "google.golang.org/api/",
		"github.com/Azure", // and AzureAD
		"google.golang.org/grpc", "github.com/quic-go", "github.com/fsnotify",
	}
	allowed := map[string]string{
		"/backend/s3":    "github.com/aws/",
		"/backend/minio": "github.com/minio/minio-go",
		"/backend/azure": "github.com/Azure",
		"/backend/gcs":   "cloud.google.com/ google.golang.org/api/ google.golang.org/grpc", // the first imports the others
	}
	for _, pkg := range []string{
		"", "/backend", "/backend/backendtest", "/backend/local", "/backend/memory", "/backend/s3", "/backend/minio",
		"/backend/gcs", "/backend/azure",
		"/internal/ledger", "/internal/durable", "/probe",
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+pkg).Output()
		require.NoError(t, err)
		for dep := range strings.Lines(string(out)) {
			for _, sdk := range sdks {
				if strings.HasPrefix(dep, sdk) {
					require.Contains(t, strings.Fields(allowed[pkg]), sdk, "%s imports %s", module+pkg, dep)
				}
			}
			if strings.HasPrefix(dep, module+"/backend/") && strings.HasPrefix(pkg, "/backend") {
				inner := strings.TrimSpace(strings.TrimPrefix(dep, module))
				require.True(t, inner == pkg || strings.HasPrefix(inner, "/backend/internal/"), "%s imports %s", module+pkg, dep)
			}
		}
	}
}

// The conformance suite is for those who test a driver or probe a store; a program
// that replicates does without it.
func TestTheLibraryDoesWithoutItsConformanceSuite(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module).Output()
	require.NoError(t, err)
	deps := strings.Fields(string(out))
	require.NotContains(t, deps, module+"/backend/backendtest")
	require.NotContains(t, deps, "testing")
}
