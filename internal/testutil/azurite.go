package testutil

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// azuriteScript is the blob service alone, without those for queues and tables.
const azuriteScript = "node_modules/azurite/dist/src/blob/main.js"

// Azurite starts Azurite, the emulator of Azure Blob Storage, for the length of
// the test. Its account is AccessKey, its key SecretKey, and its endpoint
// [Server.BlobEndpoint]. What it holds is in memory and gone when it ends. The
// test is skipped where Node.js is absent, and fails there when the environment
// has CI=true.
func Azurite(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	return newServer(tb, azuriteSpec, opts)
}

// SharedAzurite is SharedMinIO for Azurite.
func SharedAzurite(tb testing.TB) *Server {
	tb.Helper()
	return sharedServers.get(tb, azuriteSpec)
}

var azuriteSpec = serverSpec{
	name: ServerAzurite,
	with: "node",
	command: func(s *Server, addr string) (args, env []string, err error) {
		host, port, _ := strings.Cut(addr, ":")
		args = append([]string{
			"--blobHost", host, "--blobPort", port,
			"--inMemoryPersistence", "--silent", "--disableTelemetry",
			"--skipApiVersionCheck", // it is always behind the SDK
		}, s.args...)
		return args, []string{"AZURITE_ACCOUNTS=" + s.AccessKey + ":" + s.SecretKey}, nil
	},
	ready: func(ctx context.Context, s *Server) error {
		return s.azure(ctx, http.MethodGet, "", "comp", "list")
	},
}

// BlobEndpoint is where Azurite serves its account.
func (s *Server) BlobEndpoint() string { return s.Endpoint + "/" + s.AccessKey }

// NewContainer creates an empty container with a random name in Azurite and
// returns the name. It is left to go with the server's data.
func (s *Server) NewContainer(tb testing.TB) string {
	tb.Helper()
	name := "test-" + randomHex(8)
	if err := s.azure(tb.Context(), http.MethodPut, "/"+name, "restype", "container"); err != nil {
		tb.Fatalf("create container at %s: %v", s.BlobEndpoint(), err)
	}
	return name
}

// azure sends a request without a body, signed with the account's key
// (https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key).
func (s *Server) azure(ctx context.Context, method, path, parameter, value string) error {
	req, err := http.NewRequestWithContext(ctx, method, s.BlobEndpoint()+path+"?"+parameter+"="+value, nil)
	if err != nil {
		return err
	}
	headers := fmt.Sprintf("x-ms-date:%s\nx-ms-version:2025-11-05\n", time.Now().UTC().Format(http.TimeFormat))
	for line := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		req.Header.Set(name, value)
	}
	key, err := base64.StdEncoding.DecodeString(s.SecretKey)
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s%s%s/%s/%s%s\n%s:%s", method, strings.Repeat("\n", 12), headers, s.AccessKey, s.AccessKey, path, parameter, value)
	req.Header.Set("Authorization", "SharedKey "+s.AccessKey+":"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	transport := newTransport()
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, req.URL, res.Status)
	}
	return nil
}
