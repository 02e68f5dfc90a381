package testutil

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Synthetic is an S3 server of one bucket with any number of small objects in
// one flat directory, that stores none of them: what an object holds follows
// from its number and its version, which is a counter. So a test of a million
// objects measures the client and not a server.
//
// It takes any bucket's name and any credentials, in path style. It knows
// ListObjectsV2, with "/" or no delimiter, HEAD, GET, PUT with If-Match and
// If-None-Match, and DELETE, and a few small objects under other keys. A PUT has to bring the
// content of some version of its object, byte by byte and not in the chunks of a
// streaming signature; the object then has that version, and its ETag follows from number and version like the content.
type Synthetic struct {
	Endpoint string // http://127.0.0.1:port

	// Metadata, unless nil, makes the user metadata of objects that nobody has
	// written. It is set before the first request.
	Metadata func(key, etag string, size int) map[string]string

	size int

	mu       sync.RWMutex
	versions []uint32                     // guarded by mu; absent for no object
	written  map[uint32]map[string]string // guarded by mu; metadata of objects that were written
	counts   map[string]int               // guarded by mu
	others   map[string][]byte            // guarded by mu; objects under other keys
}

const (
	syntheticFolder    = "flat/"
	syntheticDirectory = syntheticFolder + "object-"
	syntheticDigits    = 9
	syntheticHeader    = 64 // of a content, which names key and version
	absentVersion      = math.MaxUint32
)

// NewSynthetic starts a server with n objects of size bytes, 64 to 65,536, for
// the length of the test.
func NewSynthetic(tb testing.TB, n, size int) *Synthetic {
	tb.Helper()
	if n < 0 || n >= 1e9 || size < syntheticHeader || size > 64<<10 {
		tb.Fatalf("synthetic server of %d objects of %d bytes", n, size)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("synthetic server: %v", err)
	}
	s := &Synthetic{
		Endpoint: "http://" + l.Addr().String(),
		size:     size,
		versions: make([]uint32, n),
		written:  make(map[uint32]map[string]string),
		counts:   make(map[string]int),
		others:   make(map[string][]byte),
	}
	server := &http.Server{Handler: s, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	tb.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("synthetic server: %v", err)
		}
	})
	return s
}

// Clear removes every object.
func (s *Synthetic) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.versions {
		s.versions[i] = absentVersion
	}
	clear(s.written)
}

// Change gives every so-manieth object its next version, and returns how many.
func (s *Synthetic) Change(every int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := 0
	for i := 0; i < len(s.versions); i += every {
		if s.versions[i] != absentVersion {
			s.versions[i]++
			changed++
		}
	}
	return changed
}

// SameAs reports whether both servers have the same objects in the same
// versions, which means the same bytes.
func (s *Synthetic) SameAs(other *Synthetic) bool {
	mine, theirs := s.snapshot(), other.snapshot()
	if len(mine) != len(theirs) || s.size != other.size {
		return false
	}
	for i := range mine {
		if mine[i] != theirs[i] {
			return false
		}
	}
	return true
}

func (s *Synthetic) snapshot() []uint32 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]uint32(nil), s.versions...)
}

// Counts returns how many requests came in since the last time it was asked, by
// the names [Operation] gives.
func (s *Synthetic) Counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.counts
	s.counts = make(map[string]int)
	return counts
}

// ServeHTTP implements http.Handler.
func (s *Synthetic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op := Operation(r)
	s.mu.Lock()
	s.counts[op]++
	s.mu.Unlock()
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch op {
	case "HeadBucket":
		return
	case "GetBucketLocation": // none, which is us-east-1
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>`)
		return
	case "ListObjects":
		s.list(w, r)
		return
	case "GetObject", "HeadObject", "PutObject", "DeleteObject":
	default:
		refuse(w, http.StatusNotImplemented, "NotImplemented")
		return
	}
	i, ok := s.number(key)
	switch {
	case !ok:
		s.other(w, r, key)
	case op == "PutObject":
		s.put(w, r, i)
	case op == "DeleteObject":
		s.delete(w, i)
	default:
		s.get(w, r, i)
	}
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, code)
}

// appendSyntheticKey appends the key of an object; keys are in the order of the
// numbers.
func appendSyntheticKey(b []byte, i uint32) []byte {
	b = append(b, syntheticDirectory...)
	for power := uint32(math.Pow10(syntheticDigits - 1)); power > 0; power /= 10 {
		b = append(b, byte('0'+i/power%10))
	}
	return b
}

// number returns the number of the object that may have a key.
func (s *Synthetic) number(key string) (uint32, bool) {
	digits, ok := strings.CutPrefix(key, syntheticDirectory)
	i, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || len(digits) != syntheticDigits || i >= uint64(len(s.versions)) {
		return 0, false
	}
	return uint32(i), true
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable
// Pseudorandom Number Generators, 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// appendETag appends the ETag of a version, without quotes.
func appendETag(b []byte, i, version uint32) []byte {
	const hex = "0123456789abcdef"
	x := mix(uint64(version)<<32 | uint64(i))
	for range 2 {
		for shift := 60; shift >= 0; shift -= 4 {
			b = append(b, hex[x>>shift&15])
		}
		x = mix(x)
	}
	return b
}

// content returns the bytes of a version: a line that names it, and filling.
func (s *Synthetic) content(i, version uint32) []byte {
	b := make([]byte, 0, s.size+8)
	b = appendSyntheticKey(b, i)
	b = strconv.AppendUint(append(b, ' '), uint64(version), 10)
	b = append(b, '\n')
	for x := mix(uint64(version)<<32 | uint64(i)); len(b) < s.size; x = mix(x) {
		b = append(b, byte(x), byte(x>>8), byte(x>>16), byte(x>>24), byte(x>>32), byte(x>>40), byte(x>>48), byte(x>>56))
	}
	return b[:s.size]
}

// versionOf returns the version whose content a body is.
func (s *Synthetic) versionOf(body []byte, i uint32) (uint32, bool) {
	line, _, _ := bytes.Cut(body[:min(len(body), syntheticHeader)], []byte("\n"))
	_, text, _ := bytes.Cut(line, []byte(" "))
	version, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil || version == absentVersion || !bytes.Equal(body, s.content(i, uint32(version))) {
		return 0, false
	}
	return uint32(version), true
}

func (s *Synthetic) version(i uint32) (uint32, map[string]string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.versions[i], s.written[i]
}

var syntheticTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat)

func (s *Synthetic) get(w http.ResponseWriter, r *http.Request, i uint32) {
	version, metadata := s.version(i)
	if version == absentVersion {
		refuse(w, http.StatusNotFound, "NoSuchKey")
		return
	}
	etag := string(appendETag(nil, i, version))
	if match := r.Header.Get("If-Match"); match != "" && strings.Trim(match, `"`) != etag {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	if metadata == nil && s.Metadata != nil {
		metadata = s.Metadata(string(appendSyntheticKey(nil, i)), etag, s.size)
	}
	h := w.Header()
	for name, value := range metadata {
		h.Set(amzMeta+name, value)
	}
	h.Set("ETag", `"`+etag+`"`)
	h.Set("Content-Type", "binary/octet-stream")
	h.Set("Last-Modified", syntheticTime)
	h.Set("Content-Length", strconv.Itoa(s.size))
	if r.Method == http.MethodGet {
		_, _ = w.Write(s.content(i, version))
	}
}

const amzMeta = "X-Amz-Meta-"

func (s *Synthetic) put(w http.ResponseWriter, r *http.Request, i uint32) {
	if r.Header.Get("X-Amz-Decoded-Content-Length") != "" || r.ContentLength > 64<<10 {
		refuse(w, http.StatusNotImplemented, "NotImplemented")
		return
	}
	body := make([]byte, max(r.ContentLength, 0))
	if _, err := io.ReadFull(r.Body, body); err != nil {
		refuse(w, http.StatusBadRequest, "IncompleteBody")
		return
	}
	version, ok := s.versionOf(body, i)
	if !ok {
		refuse(w, http.StatusBadRequest, "BadDigest")
		return
	}
	metadata := map[string]string{}
	for name, values := range r.Header {
		if name, ok := strings.CutPrefix(name, amzMeta); ok {
			metadata[name] = values[0]
		}
	}
	if !s.replace(i, version, metadata, r.Header) {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
		return
	}
	w.Header().Set("ETag", `"`+string(appendETag(nil, i, version))+`"`)
}

// replace gives an object a version, if the conditions of a request hold.
func (s *Synthetic) replace(i, version uint32, metadata map[string]string, conditions http.Header) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.versions[i]
	if conditions.Get("If-None-Match") == "*" && now != absentVersion {
		return false
	}
	if match := conditions.Get("If-Match"); match != "" &&
		(now == absentVersion || strings.Trim(match, `"`) != string(appendETag(nil, i, now))) {
		return false
	}
	s.versions[i], s.written[i] = version, metadata
	return true
}

func (s *Synthetic) delete(w http.ResponseWriter, i uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.versions[i] = absentVersion
	delete(s.written, i)
	w.WriteHeader(http.StatusNoContent)
}
