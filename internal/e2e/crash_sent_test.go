//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// A sent is what a store has acknowledged of the bytes that syncs sent to it, and
// the requests that send again what it had acknowledged before the sync began.
//
// That rule leaves out nothing that a sync can help. What no answer came for is
// sent again, which bounds what a kill costs by the objects and parts that are under
// way; what was acknowledged to a process that is killed by then is for the next one
// to find. Requests of a killed process that come late, from what a socket still
// held, were acknowledged in the next one's time, if at all.
type sent struct {
	mu      sync.Mutex
	syncs   int                    // guarded by mu; that were begun
	whole   map[string][]int       // guarded by mu; by key and version, in which syncs a write was acknowledged
	open    map[string]int         // guarded by mu; by key, requests to write it that had no definite answer
	uploads map[string]*sentUpload // guarded by mu; by id
	again   []string               // guarded by mu; what was sent again
	faults  []error                // guarded by mu; requests that cannot be told
}

type sentUpload struct {
	what  string      // key and version
	parts map[int]int // by number, the sync in which it was acknowledged
	// completing: the store was asked to complete it. A server that is killed
	// meanwhile may have neither the upload nor the object.
	completing bool
}

func newSent() *sent {
	return &sent{whole: map[string][]int{}, open: map[string]int{}, uploads: map[string]*sentUpload{}}
}

// begin says that a sync begins, and that no other one runs.
func (s *sent) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syncs++
}

// asked notes a request that has arrived, and returns what is to be told of its
// answer; nil if that is of no interest.
func (s *sent) asked(op string, r *http.Request) func(status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, id := r.URL.Path, r.URL.Query().Get("uploadId")
	if strings.Contains(path, probeName) {
		return nil // asks what the server honours
	}
	switch op {
	case "PutObject", "CreateMultipartUpload":
		m, err := markerOf(r.Header.Get("X-Amz-Meta-Objrepl-Marker"))
		if err != nil {
			s.faults = append(s.faults, fmt.Errorf("%s %s: %w", op, path, err))
			return nil
		}
		what := path + " " + m.version
		s.askedWhole(what)
		if op == "PutObject" {
			return s.writes(path, what, "")
		}
		return s.begins(what)
	case "UploadPart", "CompleteMultipartUpload":
		u := s.uploads[id]
		if u == nil {
			s.faults = append(s.faults, fmt.Errorf("%s %s: of an upload that nobody began", op, path))
			return nil
		}
		if op == "UploadPart" {
			return s.askedPart(u, r.URL.Query().Get("partNumber"))
		}
		u.completing = true
		return s.writes(path, u.what, "<CompleteMultipartUploadResult") // an error can have status 200
	}
	return nil
}

// writes notes what becomes of a request that makes an object visible.
func (s *sent) writes(key, what, result string) func(status int, body string) {
	s.open[key]++
	return func(status int, body string) {
		if status < http.StatusInternalServerError {
			s.open[key]--
		}
		if status == http.StatusOK && strings.Contains(body, result) {
			s.whole[what] = append(s.whole[what], s.syncs)
		}
	}
}

var uploadID = regexp.MustCompile(`<UploadId>([^<]+)</UploadId>`)

func (s *sent) begins(what string) func(status int, body string) {
	return func(status int, body string) {
		if status != http.StatusOK {
			return
		}
		if id := uploadID.FindStringSubmatch(body); id != nil {
			s.uploads[id[1]] = &sentUpload{what: what, parts: map[int]int{}}
		} else {
			s.faults = append(s.faults, fmt.Errorf("%s: an upload without an id: %q", what, body))
		}
	}
}

func (s *sent) askedWhole(what string) {
	for _, sync := range s.whole[what] {
		if sync < s.syncs {
			s.again = append(s.again, what+": all of it")
		}
	}
	for _, u := range s.uploads {
		for number, sync := range u.parts {
			if u.what == what && sync < s.syncs && !u.completing {
				s.again = append(s.again, fmt.Sprintf("%s: anew, though part %d was there", what, number))
			}
		}
	}
}

func (s *sent) askedPart(u *sentUpload, partNumber string) func(status int, body string) {
	number, err := strconv.Atoi(partNumber)
	if err != nil {
		s.faults = append(s.faults, fmt.Errorf("%s: %w", u.what, err))
		return nil
	}
	if sync, there := u.parts[number]; there && sync < s.syncs {
		s.again = append(s.again, fmt.Sprintf("%s: part %d", u.what, number))
	}
	return func(status int, _ string) {
		if _, there := u.parts[number]; !there && status == http.StatusOK {
			u.parts[number] = s.syncs
		}
	}
}

func (s *sent) answered(note func(status int, body string), status int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	note(status, body)
}

// repeated returns what was sent again although the store had acknowledged it,
// and what it acknowledged twice, which conditions rule out.
func (s *sent) repeated() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := append([]string(nil), s.again...)
	for what, syncs := range s.whole {
		if len(syncs) > 1 {
			out = append(out, fmt.Sprintf("%s: acknowledged %d times", what, len(syncs)))
		}
	}
	return out
}

// noted returns how many writes of whole objects and of parts were acknowledged, and
// what could not be told.
func (s *sent) noted() (whole, parts int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.uploads {
		parts += len(u.parts)
	}
	return len(s.whole), parts, errors.Join(s.faults...)
}

// written reports whether a write of a key was acknowledged, or may have taken
// effect without.
func (s *sent) written(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] > 0 {
		return true
	}
	for what := range s.whole {
		if strings.HasPrefix(what, key+" ") {
			return true
		}
	}
	return false
}

// A markerText is what the tests read in a marker.
type markerText struct {
	version string // policy, size, tag and stamp: the source version
	tag     string
}

// markerOf reads a marker as docs/FORMAT.md has it.
func markerOf(text string) (markerText, error) {
	fields := strings.Split(text, " ")
	if len(fields) != 7 || fields[0] != "2" {
		return markerText{}, fmt.Errorf("no marker of docs/FORMAT.md: %q", text)
	}
	_, errSize := strconv.ParseInt(fields[2], 10, 64)
	_, errPolicy := url.QueryUnescape(fields[1])
	tag, errTag := url.QueryUnescape(fields[3])
	_, errStamp := url.QueryUnescape(fields[4])
	if err := errors.Join(errSize, errPolicy, errTag, errStamp); err != nil || fields[5] == "" || len(fields[6]) != 12 {
		return markerText{}, fmt.Errorf("no marker of docs/FORMAT.md: %q: %w", text, err)
	}
	return markerText{strings.Join(fields[1:5], " "), tag}, nil
}
