package testutil

import (
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxOthers bounds the objects beside the synthetic ones, and their bytes.
const (
	maxOthers    = 16
	maxOtherSize = 4 << 10
)

// other answers requests on a key that is no synthetic one. Such objects are
// kept, a few small ones, so that clients can find out what the server does:
// they take and honour If-Match and If-None-Match on PUT and If-Match on
// DELETE. No listing has them.
func (s *Synthetic) other(w http.ResponseWriter, r *http.Request, key string) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxOtherSize+1))
	if err != nil || len(body) > maxOtherSize {
		refuse(w, http.StatusBadRequest, "EntityTooLarge")
		return
	}
	etag := func(data []byte) string {
		sum := md5.Sum(data)
		return hex.EncodeToString(sum[:])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, there := s.others[key]
	match := strings.Trim(r.Header.Get("If-Match"), `"`)
	writes := r.Method == http.MethodPut || r.Method == http.MethodDelete
	switch {
	case !there && (!writes || match != ""):
		refuse(w, http.StatusNotFound, "NoSuchKey")
	case match != "" && match != etag(now), r.Method == http.MethodPut && there && r.Header.Get("If-None-Match") == "*":
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed")
	case r.Method == http.MethodDelete:
		delete(s.others, key)
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPut && !there && len(s.others) == maxOthers:
		refuse(w, http.StatusInsufficientStorage, "InsufficientStorage")
	case r.Method == http.MethodPut:
		s.others[key] = body
		w.Header().Set("ETag", `"`+etag(body)+`"`)
	default:
		w.Header().Set("ETag", `"`+etag(now)+`"`)
		w.Header().Set("Last-Modified", syntheticTime)
		w.Header().Set("Content-Length", strconv.Itoa(len(now)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(now)
		}
	}
}
