package s3proto

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// chunked frames a stream in the aws-chunked coding, as one chunk and, after
// it, the checksum of what went by, so that a large body is read once. It sets
// the headers that go with it and returns the whole and its length.
func chunked(p *payload, h http.Header) (io.Reader, int64) {
	var (
		name  = strings.ToLower(checksumHeader)
		begin = fmt.Sprintf("%x\r\n", p.size)
		end   = "\r\n0\r\n" + name + ":"
		final = "\r\n\r\n"
	)
	encoding := "aws-chunked"
	if own := h.Get("Content-Encoding"); own != "" {
		encoding += "," + own
	}
	h["Content-Encoding"] = []string{encoding}
	h["X-Amz-Trailer"] = []string{name}
	h["X-Amz-Decoded-Content-Length"] = []string{strconv.FormatInt(p.size, 10)}
	length := int64(len(begin)) + p.size + int64(len(end)+checksumSize+len(final))
	return io.MultiReader(
		strings.NewReader(begin),
		p.stream,
		&lazy{text: func() string { return end + p.streamChecksum() + final }},
	), length
}

// lazy is text that is known only when it is read.
type lazy struct {
	text func() string
	r    *strings.Reader
}

func (l *lazy) Read(p []byte) (int, error) {
	if l.r == nil {
		l.r = strings.NewReader(l.text())
	}
	return l.r.Read(p)
}
