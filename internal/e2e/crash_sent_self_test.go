//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsSentAgainAfterItWasAcknowledgedIsTold(t *testing.T) {
	s := newSent()
	send := func(op, query, tag string, status int, body string) []string {
		t.Helper()
		r := httptest.NewRequest(http.MethodPut, "/bucket/key?"+query, nil)
		r.Header.Set("X-Amz-Meta-Objrepl-Marker", "2 policy 10 "+tag+"  operation 0123456789ab")
		before := len(s.repeated())
		note := s.asked(op, r)
		require.NotNil(t, note)
		if status != 0 {
			s.answered(note, status, body)
		}
		return s.repeated()[before:]
	}
	put := func(tag string, status int) []string { return send("PutObject", "", tag, status, "") }
	create := func(tag, id string) []string {
		return send("CreateMultipartUpload", "uploads", tag, 200, "<UploadId>"+id+"</UploadId>")
	}
	part := func(id string, number, status int) []string {
		return send("UploadPart", fmt.Sprintf("uploadId=%s&partNumber=%d", id, number), "", status, "")
	}
	s.begin()
	require.False(t, s.written("/bucket/key"))
	require.Empty(t, put("a", 503))
	require.True(t, s.written("/bucket/key"), "it may have been")
	require.Empty(t, put("a", 0))
	require.Empty(t, put("a", 200))
	require.Empty(t, create("b", "one"))
	require.Empty(t, part("one", 1, 200))
	require.Empty(t, part("one", 2, 0))
	s.begin()
	require.Empty(t, put("c", 412), "another version")
	require.NotEmpty(t, put("a", 412), "all of it again, although in vain")
	require.Empty(t, part("one", 2, 200), "nobody had acknowledged it")
	require.NotEmpty(t, part("one", 1, 200))
	require.NotEmpty(t, create("b", "two"), "a part was there")
	require.Empty(t, send("CompleteMultipartUpload", "uploadId=one", "", 200, "<Error></Error>"))
	require.Empty(t, create("b", "three"), "the server may have lost it, as it was asked to complete it")
	require.Empty(t, send("CompleteMultipartUpload", "uploadId=three", "", 200, "<CompleteMultipartUploadResult>"))
	s.begin()
	require.NotEmpty(t, create("b", "four"), "it is complete")
	whole, _, err := s.noted()
	require.NoError(t, err)
	require.Equal(t, 2, whole)

	for _, text := range []string{"", "2 policy 10 a  operation", "1 policy 10 a  operation 0123456789ab", "2 policy x a  operation 0123456789ab"} {
		r := httptest.NewRequest(http.MethodPut, "/bucket/key", nil)
		r.Header.Set("X-Amz-Meta-Objrepl-Marker", text)
		s.asked("PutObject", r)
		_, _, err := s.noted()
		require.Error(t, err, "%q", text)
		s.faults = nil
	}
}

func TestWhatIsReadAgainAlthoughItIsThereIsTold(t *testing.T) {
	h := &held{
		whole: map[string]string{"small": "e1"},
		parts: map[string]heldParts{"large": {"e2", 100, map[int]bool{2: true}}},
	}
	read := func(key, etag, byteRange string) int {
		r := httptest.NewRequest(http.MethodGet, "/bucket/"+key, nil)
		r.Header.Set("Range", byteRange)
		_, before := h.repeated()
		h.read(r, etag)
		_, after := h.repeated()
		return len(after) - len(before)
	}
	require.Equal(t, 1, read("small", `"e1"`, ""))
	require.Zero(t, read("small", `"e2"`, ""), "another version")
	require.Zero(t, read("other", `"e1"`, ""))
	require.Zero(t, read("large", `"e2"`, "bytes=0-99"))
	require.Zero(t, read("large", `"e2"`, "bytes=250-299"), "the rest of a part")
	require.Zero(t, read("large", `"e3"`, ""), "another version")
	require.Equal(t, 1, read("large", `"e2"`, "bytes=100-199"))
	require.Equal(t, 1, read("large", `"e2"`, "bytes=50-110"))
	require.Equal(t, 1, read("large", `"e2"`, ""), "all of it")
}
