package s3proto

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// A request is one call of the S3 API.
type request struct {
	op     string // of the backend, for errors
	method string
	key    string // empty for the bucket itself
	query  url.Values
	header http.Header // canonical names; taken over
	// hash of the payload, as the signature names it; empty for no payload.
	hash string
	// body is sent as it is. For one in memory data is set in its place, so
	// that the transport may send it anew where a connection from the pool
	// turned out closed before anything was written to it.
	body   io.Reader
	data   []byte
	length int64
	// ask has the server agree before the body is sent, so that a failed
	// condition does not cost the transfer of a large one.
	ask bool
}

const (
	// emptyHash is the SHA-256 of no bytes.
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	// unsignedHash says that the payload is not part of the signature: TLS and
	// the checksum vouch for it.
	unsignedHash = "UNSIGNED-PAYLOAD"
	// streamingHash says so too, and that a checksum follows the payload
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
	streamingHash = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

var userAgent = []string{"objrepl"}

// send signs and sends a request, once. Unless it fails, the caller closes the
// answer's body.
func (s *Store) send(ctx context.Context, r *request) (*http.Response, *fault) {
	f := &fault{op: r.op, backend: s.config.Driver, key: r.key}
	req, err := s.signed(ctx, r)
	if err != nil {
		f.unsent, f.hint = err, s.config.SignHint
		return nil, f
	}
	res, err := s.pool.Do(req)
	if err != nil {
		f.err = err
		return nil, f
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	f.read(req.Method, res)
	return nil, f
}

func (s *Store) signed(ctx context.Context, r *request) (*http.Request, error) {
	base := s.config.Base
	path := base.Path + "/" + r.key
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: path, RawPath: escapePath(path)}
	if r.query != nil {
		u.RawQuery = strings.ReplaceAll(r.query.Encode(), "+", "%20")
	}
	h := r.header
	if h == nil {
		h = make(http.Header, 5)
	}
	h["User-Agent"] = userAgent
	hash := r.hash
	if hash == "" {
		hash = emptyHash
	}
	h["X-Amz-Content-Sha256"] = []string{hash}

	req := new(http.Request).WithContext(ctx)
	req.Method, req.URL, req.Host, req.Header = r.method, u, u.Host, h
	req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/1.1", 1, 1
	switch {
	case len(r.data) > 0:
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.data)), nil }
		req.Body, _ = req.GetBody()
		req.ContentLength = int64(len(r.data))
	case r.body != nil:
		req.Body, req.ContentLength = io.NopCloser(r.body), r.length
	}
	req, err := s.config.Sign(ctx, req)
	if err == nil && r.ask {
		req.Header["Expect"] = []string{"100-continue"} // not signed: it is the connection's
	}
	return req, err
}

// discard ends with an answer that has nothing more to tell.
func (s *Store) discard(res *http.Response) {
	// What little there may be is read, so that the connection is used again.
	_, _ = io.CopyN(io.Discard, res.Body, maxDocument)
	res.Body.Close()
	s.pool.Release()
}
