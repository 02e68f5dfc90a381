package azure_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/internal/drivertest"
)

// batches is a server that notes the deletions of a batch and answers as told.
type batches struct {
	backend.BulkDeleter
	connections atomic.Int64
	mu          sync.Mutex
	answer      http.HandlerFunc // guarded by mu
	asked       []*http.Request  // guarded by mu; of the last batch
	requests    int              // guarded by mu
}

const boundary = "batchresponse_1"

func newBatches(t *testing.T, extra ...string) *batches {
	b := &batches{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.asked, b.requests = operations(t, r.Header, body), b.requests+1
		answer := b.answer
		b.mu.Unlock()
		w.Header().Set("Content-Type", "multipart/mixed; boundary="+boundary)
		answer(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			b.connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s := backend.Settings{"containerName": "container", "accountName": "account", "accountKey": fakeKey, "endpoint": server.URL + "/account"}
	for i := 0; i < len(extra); i += 2 {
		s[extra[i]] = extra[i+1]
	}
	b.BulkDeleter, _ = backend.As[backend.BulkDeleter](drivertest.Open(t, azure.Driver, s))
	return b
}

// operations reads what a batch is made of, in order.
func operations(t *testing.T, header http.Header, body []byte) (all []*http.Request) {
	_, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	require.NoError(t, err)
	parts := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(len(all)), part.Header.Get("Content-Id"))
		r, err := http.ReadRequest(bufio.NewReader(part))
		require.NoError(t, err)
		all = append(all, r)
	}
}

// says has the server answer a batch with these parts.
func (b *batches) says(parts ...string) {
	b.does(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, strings.Join(parts, "")+"--"+boundary+"--\r\n")
	})
}

func (b *batches) does(answer http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer, b.requests = answer, 0
}

// sent returns the operations of the last batch, and how many batches there were.
func (b *batches) sent() ([]*http.Request, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked, b.requests
}

// one is the answer to one operation; a negative place is none.
func one(place, status int, code string) string {
	id, body, headers := "", "", ""
	if place >= 0 {
		id = fmt.Sprintf("Content-ID: %d\r\n", place)
	}
	if code != "" {
		body = fmt.Sprintf("<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>No.\nRequestId:1</Message></Error>", code)
		headers = fmt.Sprintf("x-ms-error-code: %s\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n", code, len(body))
	}
	// The service leaves out the line that ends headers where no body follows.
	return fmt.Sprintf("--%s\r\nContent-Type: application/http\r\n%s\r\nHTTP/1.1 %d Whatever\r\nx-ms-request-id: 1\r\n%s%s\r\n", boundary, id, status, headers, body)
}
