package testutil

import (
	"bytes"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"sync"
)

const syntheticPage = 1000

var syntheticPages = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// list answers ListObjectsV2. A continuation token is the number of the next
// object.
func (s *Synthetic) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	delimiter := q.Get("delimiter")
	if q.Get("list-type") != "2" || delimiter != "" && delimiter != "/" {
		refuse(w, http.StatusNotImplemented, "NotImplemented")
		return
	}
	prefix, limit := []byte(q.Get("prefix")), syntheticPage
	if text := q.Get("max-keys"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			refuse(w, http.StatusBadRequest, "InvalidArgument")
			return
		}
		limit = min(n, syntheticPage)
	}
	first, ok := s.firstListed(q, prefix)
	if !ok {
		refuse(w, http.StatusBadRequest, "InvalidArgument")
		return
	}

	page := syntheticPages.Get().(*bytes.Buffer)
	defer syntheticPages.Put(page)
	page.Reset()
	page.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
		`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>synthetic</Name>`)
	if q.Get("encoding-type") == "url" {
		page.WriteString("<EncodingType>url</EncodingType>") // no key has anything to encode
	}
	var count, next int
	if delimiter != "" && len(prefix) < len(syntheticFolder) {
		count = s.folder(page, prefix, first, limit)
	} else {
		count, next = s.entries(page, prefix, first, limit)
	}
	page.WriteString("<KeyCount>" + strconv.Itoa(count) + "</KeyCount><MaxKeys>" + strconv.Itoa(limit) + "</MaxKeys>")
	if next > 0 {
		page.WriteString("<IsTruncated>true</IsTruncated><NextContinuationToken>" + strconv.Itoa(next) + "</NextContinuationToken>")
	} else {
		page.WriteString("<IsTruncated>false</IsTruncated>")
	}
	page.WriteString("</ListBucketResult>")
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(page.Len()))
	_, _ = w.Write(page.Bytes())
}

// firstListed returns the number of the first object that a listing may have.
func (s *Synthetic) firstListed(q url.Values, prefix []byte) (int, bool) {
	if token := q.Get("continuation-token"); token != "" {
		n, err := strconv.Atoi(token)
		return n, err == nil && n >= 0
	}
	after := []byte(q.Get("start-after"))
	var key []byte
	return sort.Search(len(s.versions), func(i int) bool {
		key = appendSyntheticKey(key[:0], uint32(i))
		return bytes.Compare(key, prefix) >= 0 && bytes.Compare(key, after) > 0
	}), true
}

// folder writes the one folder in place of the objects in it, if there are any.
func (s *Synthetic) folder(page *bytes.Buffer, prefix []byte, from, limit int) int {
	count, _ := s.entries(new(bytes.Buffer), prefix, from, min(limit, 1))
	if count > 0 {
		page.WriteString("<CommonPrefixes><Prefix>" + syntheticFolder + "</Prefix></CommonPrefixes>")
	}
	return count
}

// entries writes up to limit objects from a number on. Next is where the
// listing goes on, 0 if nowhere.
func (s *Synthetic) entries(page *bytes.Buffer, prefix []byte, from, limit int) (count, next int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	size := strconv.Itoa(s.size)
	for i := from; i < len(s.versions); i++ {
		version := s.versions[i]
		if version == absentVersion {
			continue
		}
		page.Grow(256)
		b := append(page.AvailableBuffer(), "<Contents><Key>"...)
		at := len(b)
		b = appendSyntheticKey(b, uint32(i))
		if !bytes.HasPrefix(b[at:], prefix) {
			break
		}
		if count == limit {
			return count, i
		}
		b = append(b, "</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;"...)
		b = appendETag(b, uint32(i), version)
		b = append(b, "&quot;</ETag><Size>"...)
		b = append(b, size...)
		b = append(b, "</Size><StorageClass>STANDARD</StorageClass></Contents>"...)
		page.Write(b)
		count++
	}
	return count, 0
}
