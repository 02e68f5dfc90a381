package azure

import (
	"errors"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/objrepl/replication/backend"
)

// Whatever a server answers is read without a panic, and what is cut is no answer.
func FuzzBatchAnswers(f *testing.F) {
	const end = "--b--\r\n"
	part := func(id, text string) string {
		return "--b\r\nContent-Type: application/http\r\n" + id + "\r\n" + text + "\r\n"
	}
	gone := part("Content-ID: 0\r\n", "HTTP/1.1 202 Accepted\r\nx-ms-request-id: 1\r\n")
	moved := part("Content-ID: 1\r\n", "HTTP/1.1 412 No\r\nx-ms-error-code: ConditionNotMet\r\nContent-Length: 2\r\n\r\nno")
	for _, text := range []string{
		"", end, gone + end, gone + moved + end, gone + gone + end, moved + gone, part("", "HTTP/1.1 400 No\r\n") + end,
		part("Content-ID: -1\r\n", "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n") + end,
	} {
		f.Add("multipart/mixed; boundary=b", []byte(text))
	}
	f.Fuzz(func(t *testing.T, contentType string, data []byte) {
		a, err := readBatch(contentType, data)
		if err != nil {
			return
		}
		if !strings.HasSuffix(strings.TrimSpace(string(data)), "--") {
			t.Fatalf("an answer without its end was taken for one: %q", data)
		}
		all := []error{nil}
		for _, res := range a.each {
			all = append(all, deletionError(t.Context(), res, backend.Deletion{Key: "key", IfMatch: "0x1"}))
		}
		if a.whole != nil {
			all = append(all, ofAll(failed(t.Context(), "delete", "key", runtime.NewResponseError(a.whole))))
		}
		for _, err := range all {
			if err == nil {
				continue
			}
			var carrier *backend.Error
			if !errors.As(err, &carrier) || strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("%q", err)
			}
		}
	})
}
