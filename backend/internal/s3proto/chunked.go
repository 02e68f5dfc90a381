package s3proto

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// chunkSize is well above the 8 KiB that AWS wants of all chunks but the last,
// and well below the 16 MiB at which MinIO refuses them, for it keeps each in
// memory (cmd/streaming-v4-unsigned.go).
const chunkSize = 256 << 10

// chunked is a stream in the aws-chunked coding, and after it the checksum of
// what went by, so that a large body is read once
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
type chunked struct {
	payload *payload
	frame   []byte // what comes before the next data
	chunk   int64  // bytes of data to come in this chunk
	rest    int64  // and after it
	done    bool   // frame is the last
}

// newChunked returns a payload's stream in that coding, with its length, and
// sets the headers that go with it.
func newChunked(p *payload, h http.Header) (*chunked, int64) {
	encoding := "aws-chunked"
	if own := h.Get("Content-Encoding"); own != "" {
		encoding += "," + own
	}
	h["Content-Encoding"] = []string{encoding}
	h["X-Amz-Trailer"] = []string{strings.ToLower(checksumHeader)}
	h["X-Amz-Decoded-Content-Length"] = []string{strconv.FormatInt(p.size, 10)}

	length := p.size/chunkSize*framed(chunkSize) + int64(len(trailer("")+"\r\n\r\n")) + checksumSize
	if last := p.size % chunkSize; last > 0 {
		length += framed(last)
	}
	c := &chunked{payload: p, rest: p.size}
	c.next("")
	return c, length
}

// framed is the length of a chunk of n bytes with what frames it.
func framed(n int64) int64 {
	return int64(len(strconv.FormatInt(n, 16))) + n + int64(len("\r\n\r\n"))
}

// trailer is what follows the end of the last chunk, but for the line ends.
func trailer(checksum string) string {
	return "0\r\n" + strings.ToLower(checksumHeader) + ":" + checksum
}

// next begins a chunk, or the trailer, after the given end of the one before.
func (c *chunked) next(end string) {
	if c.rest == 0 {
		c.frame, c.done = []byte(end+trailer(c.payload.streamChecksum())+"\r\n\r\n"), true
		return
	}
	c.chunk = min(c.rest, chunkSize)
	c.rest -= c.chunk
	c.frame = []byte(end + strconv.FormatInt(c.chunk, 16) + "\r\n")
}

// Read implements io.Reader.
func (c *chunked) Read(p []byte) (int, error) {
	if len(c.frame) > 0 {
		n := copy(p, c.frame)
		c.frame = c.frame[n:]
		return n, nil
	}
	if c.done {
		return 0, io.EOF
	}
	n, err := c.payload.stream.Read(p[:min(int64(len(p)), c.chunk)])
	c.chunk -= int64(n)
	if err != nil && (!errors.Is(err, io.EOF) || c.chunk+c.rest > 0) {
		return n, err
	}
	if c.chunk == 0 {
		c.next("\r\n")
	}
	return n, nil
}
