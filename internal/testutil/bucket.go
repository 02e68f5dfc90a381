package testutil

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Client returns a minio-go client of the server, for setting up and looking at
// what a test is about. Its connections are closed with the test.
func (s *Server) Client(tb testing.TB) *minio.Client {
	tb.Helper()
	client, transport, err := s.client(0)
	if err != nil {
		tb.Fatalf("client of %s: %v", s.Endpoint, err)
	}
	tb.Cleanup(transport.CloseIdleConnections)
	return client
}

// NewBucket creates an empty bucket with a random name and returns the name. The
// bucket is left to go with the server's data.
func (s *Server) NewBucket(tb testing.TB) string {
	tb.Helper()
	client, transport, err := s.client(0)
	if err != nil {
		tb.Fatalf("create bucket at %s: %v", s.Endpoint, err)
	}
	defer transport.CloseIdleConnections()
	bucket := "test-" + randomHex(8)
	if err := client.MakeBucket(tb.Context(), bucket, minio.MakeBucketOptions{Region: s.Region}); err != nil {
		tb.Fatalf("create bucket at %s: %v", s.Endpoint, err)
	}
	return bucket
}

// client returns a client with a connection pool of its own. Attempts is how
// often it sends a request, 0 for minio-go's default.
func (s *Server) client(attempts int) (*minio.Client, *http.Transport, error) {
	transport := newTransport()
	client, err := minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{
		Creds:      credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""),
		Region:     s.Region,
		Transport:  transport,
		MaxRetries: attempts,
	})
	return client, transport, err
}

// s3Ready succeeds when the server lists its buckets for the credentials of this
// very start, which a health endpoint would not prove.
func s3Ready(ctx context.Context, s *Server) error {
	client, transport, err := s.client(1)
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	_, err = client.ListBuckets(ctx)
	return err
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}
