package main

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/objrepl/replication/internal/testutil"
)

func TestScriptsAgainstGoogleAndAzure(t *testing.T) {
	google, azure := testutil.SharedFakeGCS(t), testutil.SharedAzurite(t)
	p := params(filepath.Join("testdata", "cloud"))
	setup := p.Setup
	p.Setup = func(env *testscript.Env) error {
		for name, value := range map[string]string{
			"GCS": google.Endpoint, "BUCKET": google.NewGCSBucket(t), "BUCKET2": google.NewGCSBucket(t),
			"AZURE": azure.BlobEndpoint(), "CONTAINER": azure.NewContainer(t), "CONTAINER2": azure.NewContainer(t),
			"ACCOUNT": azure.AccessKey, "KEY": azure.SecretKey, "KEYESCAPED": url.QueryEscape(azure.SecretKey),
		} {
			env.Setenv(name, value)
		}
		return setup(env)
	}
	// No text file of a script can have such a name.
	p.Cmds["newline"] = func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[0]), "line\nfeed"), []byte("five"), 0o644))
	}
	testscript.Run(t, p)
}
