package s3proto

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

// A fault is a request that failed.
type fault struct {
	op, backend, key string

	// What the store answered; status is 0 where it did not.
	status        int
	header        http.Header
	code, message string // of the error document, empty where there was none
	region        string // that the store names as the right one

	err    error // of the connection, where there was no answer
	unsent error // why nothing was sent; it is the whole error then

	class error // unless nil, what it comes to
	hint  string
}

// maxDocument bounds an error document.
const maxDocument = 64 << 10

// read takes in an answer that says no, and closes it.
func (f *fault) read(method string, res *http.Response) {
	defer res.Body.Close()
	f.status, f.header, f.region = res.StatusCode, res.Header, res.Header.Get("X-Amz-Bucket-Region")
	if method == http.MethodHead {
		// MinIO's way to say what the body of a HEAD cannot
		// (cmd/api-response.go, writeErrorResponseHeadersOnly).
		f.code = res.Header.Get("X-Minio-Error-Code")
		f.message = strings.Trim(res.Header.Get("X-Minio-Error-Desc"), `"`)
		return
	}
	document, err := io.ReadAll(io.LimitReader(res.Body, maxDocument))
	if err == nil {
		var region string
		f.code, f.message, region = readError(document)
		f.region = cmp.Or(f.region, region)
	}
}

// error is the one place where answers become errors. If ctx has ended before
// there was one, that is the cause, whatever it looked like.
func (f *fault) error(ctx context.Context) *backend.Error {
	out := &backend.Error{Op: f.op, Backend: f.backend, Key: f.key, Hint: f.hint}
	switch {
	case f.status == 0 && ctx.Err() != nil:
		out.Err, out.Hint = ctx.Err(), ""
	case f.unsent != nil:
		out.Err = f.unsent
	case f.status == 0:
		out.Hint, out.Err = connectionError(f.err)
	default:
		hint, class := classify(f.code, f.status)
		if hint == hintRegion && f.region != "" && len(f.region) < 100 && !strings.ContainsFunc(f.region, isControl) {
			hint = "set region to " + f.region
		}
		if class == errors.ErrUnsupported && strings.Contains(f.message, "KMS is not configured") {
			// MinIO (cmd/api-errors.go): the settings ask for it, so that no other
			// way of writing will do.
			hint, class = hintNoKMS, fs.ErrPermission
		}
		if f.class != nil {
			class = f.class
		}
		if out.Hint == "" {
			out.Hint = hint
		}
		out.RetryAfter = answer.RetryAfter(f.header, time.Now())
		out.Err = answer.Failure(class, f.words())
	}
	return out
}

// blameClass says where a class comes from that the store lacks: one that came with
// the object is not the setting's.
func (f *fault) blameClass(ofObject string) {
	if f.code == "InvalidStorageClass" && ofObject != "" {
		f.hint = hintObject
	}
}

// ambiguous says whether the answer is a 404 that does not tell an absent
// object from an absent bucket.
func (f *fault) ambiguous() bool {
	if f.status != http.StatusNotFound || f.class != nil {
		return false
	}
	_, class := classify(f.code, f.status)
	return class == nil
}

// words puts what the store said on one line of bounded length.
func (f *fault) words() string {
	message := cmp.Or(answer.Line(f.message), http.StatusText(f.status), "the store refused")
	details := []string{fmt.Sprintf("HTTP %d", f.status)}
	if f.code != "" {
		details = append([]string{strings.ToValidUTF8(f.code[:min(len(f.code), 100)], "")}, details...)
	}
	if id := f.header.Get("X-Amz-Request-Id"); id != "" && len(id) < 100 {
		details = append(details, "request "+id)
	}
	return fmt.Sprintf("%s (%s)", message, strings.Join(details, ", "))
}

// connectionError classes a request that got no answer.
func connectionError(err error) (string, error) {
	if errors.Is(err, fs.ErrClosed) {
		return "", err
	}
	return answer.Hint(err, "check endpoint and the network to it"), answer.Unanswered(err)
}

// readError reads an error document, or nothing where it is none.
func readError(document []byte) (code, message, region string) {
	s := scanner{data: document}
	depth, isError := 0, false
	for {
		t, err := s.next()
		switch {
		case err != nil || t.kind == endOfData:
			return code, message, region
		case t.kind == open:
			if depth++; depth == 1 {
				isError = string(t.name) == "Error"
			}
		case t.kind == shut:
			depth--
			if !isError || depth != 1 {
				continue
			}
			switch string(t.name) {
			case "Code":
				code, _ = unescape(t.text)
			case "Message":
				message, _ = unescape(t.text)
			case "Region":
				region, _ = unescape(t.text)
			}
		}
	}
}
