package testutil

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// FakeGCS starts a fake-gcs-server, for the length of the test. It speaks Google
// Cloud Storage's JSON API, asks for no credentials, and keeps all in memory, so
// that a restart forgets it: as files, keys longer than a file name could not be
// held. The test is skipped where the server cannot be built, and fails there
// when the environment has CI=true.
func FakeGCS(tb testing.TB, opts ...Option) *Server {
	tb.Helper()
	return newServer(tb, fakegcsSpec, opts)
}

var fakegcsSpec = serverSpec{
	name: ServerFakeGCS,
	command: func(s *Server, addr string) (args, env []string, err error) {
		host, port, _ := strings.Cut(addr, ":")
		return append([]string{
			"-scheme", "http", "-host", host, "-port", port,
			"-backend", "memory", "-log-level", "error",
			"-location", fakegcsLocation(s),
		}, s.args...), nil, nil
	},
	ready: fakegcsReady,
}

// fakegcsLocation is where all buckets of a server are, which tells it from
// every other one.
func fakegcsLocation(s *Server) string { return "AT-" + strings.ToUpper(s.AccessKey) }

// fakegcsReady succeeds when this very server holds buckets.
func fakegcsReady(ctx context.Context, s *Server) error {
	location, err := s.newGCSBucket(ctx, "ready-"+randomHex(8))
	if err == nil && location != fakegcsLocation(s) {
		err = errors.New("another server answers")
	}
	return err
}

// NewGCSBucket is NewBucket for a fake-gcs-server.
func (s *Server) NewGCSBucket(tb testing.TB) string {
	tb.Helper()
	bucket := "test-" + randomHex(8)
	if _, err := s.newGCSBucket(tb.Context(), bucket); err != nil {
		tb.Fatalf("create bucket at %s: %v", s.Endpoint, err)
	}
	return bucket
}

func (s *Server) newGCSBucket(ctx context.Context, name string) (location string, err error) {
	body := fmt.Appendf(nil, `{"name": %q}`, name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Endpoint+"/storage/v1/b?project=test", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	transport := newTransport()
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s", res.Status)
	}
	var bucket struct{ Location string }
	err = json.NewDecoder(res.Body).Decode(&bucket)
	return bucket.Location, err
}
