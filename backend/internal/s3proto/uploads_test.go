package s3proto

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func uploadsDocument(truncated, next string, entries ...string) string {
	out := "<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>" + truncated + "</IsTruncated><NextUploadIdMarker>" + next + "</NextUploadIdMarker>"
	for i := 0; i < len(entries); i += 2 {
		out += fmt.Sprintf("<Upload><Key>%s</Key><UploadId>%s</UploadId><Initiated>2026-01-02T03:04:05.678Z</Initiated></Upload>", entries[i], entries[i+1])
	}
	return out + "</ListMultipartUploadsResult>"
}

// An upload that is missing here stays for ever, and one too many would be
// aborted.
func TestUploadsAreListedToTheirEndAndOfTheKeyAlone(t *testing.T) {
	answers := map[string]string{
		"": uploadsDocument("true", "b", "a%2B+b", "a", "a%2B+b", "b"),
		// Begins at an upload that is there already, as where a marker is unknown.
		"b": uploadsDocument("true", "x", "a%2B+b", "b", "a%2B+b", "c", "a%2B+b%2Fc", "x"),
	}
	var asked []string
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Get("prefix")+"|"+q.Get("key-marker")+"|"+q.Get("upload-id-marker"))
		_, _ = io.WriteString(w, answers[q.Get("upload-id-marker")])
	})
	got, err := s.ListUploads(t.Context(), "a+ b")
	require.NoError(t, err)
	begun := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	require.Equal(t, []backend.Upload{{ID: "a", Begun: begun}, {ID: "b", Begun: begun}, {ID: "c", Begun: begun}}, got)
	require.Equal(t, []string{"a+ b||", "a+ b|a+ b|b"}, asked, "a page with another key is the last")
}

func TestAListOfUploadsThatIsNotWholeIsAnError(t *testing.T) {
	var first, second string
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		answer := first
		if r.URL.Query().Get("key-marker") != "" {
			answer = second
		}
		_, _ = io.WriteString(w, answer)
	})
	one := uploadsDocument("true", "1", "k", "1")
	for name, c := range map[string][2]string{
		"in circles":    {one, one},
		"empty":         {one, uploadsDocument("true", "")},
		"not said":      {one, "<ListMultipartUploadsResult></ListMultipartUploadsResult>"},
		"cut short":     {one, "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"},
		"another":       {"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>", ""},
		"another key":   {uploadsDocument("false", "", "a", "1"), ""},
		"not encoded":   {uploadsDocument("false", "", "k%zz", "1"), ""},
		"without an id": {uploadsDocument("false", "", "k", ""), ""},
	} {
		first, second = c[0], c[1]
		_, err := s.ListUploads(t.Context(), "k")
		require.ErrorIs(t, err, backend.ErrUnavailable, name)
	}
}
