package s3proto

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/objrepl/replication/backend"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// storeOf returns a store whose server is a function, and which signs nothing.
func storeOf(t *testing.T, serve http.HandlerFunc) *Store {
	server := httptest.NewServer(serve)
	base, err := url.Parse(server.URL + "/bucket")
	require.NoError(t, err)
	s := NewStore(Config{
		Driver: "s3", Base: base, Location: Location(base, "bucket"), ExactKeys: true,
		Sign: func(_ context.Context, r *http.Request) (*http.Request, error) { return r, nil },
	})
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		server.Close()
	})
	return s
}

func TestKeysReachTheServerUnaltered(t *testing.T) {
	var got string
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.RequestURI
		w.Header().Set("ETag", `"x"`)
	})
	for key, want := range map[string]string{
		"a/../b": "a/../b", "./a": "./a", "/a": "/a", "//": "//", "a//b/": "a//b/", ".": ".", "..": "..",
		"a+b c%2F?x#y": "a%2Bb%20c%252F%3Fx%23y", "ä\n": "%C3%A4%0A", "a:b@c": "a%3Ab%40c",
	} {
		_, err := s.Put(t.Context(), key, backend.Bytes([]byte("x")), backend.PutOptions{})
		require.NoError(t, err)
		require.Equal(t, "/bucket/"+want, got, key)
	}
}

func TestConditionsAreSent(t *testing.T) {
	var got http.Header
	status := http.StatusOK
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.Header().Set("ETag", `"x"`)
		w.WriteHeader(status)
		if status == http.StatusNotFound {
			_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
		}
	})
	put := func(c backend.Condition) error {
		_, err := s.Put(t.Context(), "k", backend.Bytes(nil), backend.PutOptions{If: c})
		return err
	}
	require.NoError(t, put(backend.Condition{Absent: true}))
	require.Equal(t, "*", got.Get("If-None-Match"))
	require.NoError(t, put(backend.Condition{Match: "tag-1"}))
	require.Equal(t, `"tag-1"`, got.Get("If-Match"))
	require.ErrorIs(t, put(backend.Condition{Match: "t", Absent: true}), backend.ErrPrecondition)

	status = http.StatusPreconditionFailed
	err := put(backend.Condition{Absent: true})
	require.ErrorIs(t, err, backend.ErrPrecondition)
	require.ErrorIs(t, err, fs.ErrExist)
	require.NotErrorIs(t, put(backend.Condition{Match: "t"}), fs.ErrExist)
	status = http.StatusNotFound
	err = put(backend.Condition{Match: "t"})
	require.ErrorIs(t, err, backend.ErrPrecondition)
	require.NotErrorIs(t, err, fs.ErrNotExist)
}

// What a server makes of it is for the engine to find out.
func TestADeletionIsSentWithItsCondition(t *testing.T) {
	var got http.Header
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.WriteHeader(http.StatusNoContent)
	})
	require.True(t, s.Properties().Varies)
	require.NoError(t, s.Delete(t.Context(), "k", backend.DeleteOptions{IfMatch: "t"}))
	require.Equal(t, `"t"`, got.Get("If-Match"))
}

func TestHeadWithoutAReasonIsAskedAgain(t *testing.T) {
	var methods []string
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "<Error><Code>ExpiredToken</Code></Error>")
	})
	_, err := s.Stat(t.Context(), "k")
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "sessionToken")
	require.Equal(t, []string{"HEAD", "GET"}, methods)
}

func TestOpenKeepsUpWithAnObjectThatGrows(t *testing.T) {
	gets, size := 0, 1
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", fmt.Sprintf(`"v%d"`, size))
		if r.Method == http.MethodHead {
			size = 10 // somebody writes
			w.Header().Set("ETag", `"v10"`)
			w.Header().Set("Content-Length", "10")
			return
		}
		if gets++; size <= 5 {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Range", "bytes 5-9/10")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, "56789")
	})
	o, r, err := s.Open(t.Context(), "k", backend.OpenOptions{Offset: 5})
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, "56789", string(data))
	require.EqualValues(t, 10, o.Size)
	require.Equal(t, 2, gets)
}

func TestRangeBeyondTheEndOfAnotherVersionIsAPrecondition(t *testing.T) {
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"new"`)
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			return
		}
		w.Header().Set("Content-Length", "3")
	})
	_, _, err := s.Open(t.Context(), "k", backend.OpenOptions{Offset: 5, IfMatch: "old"})
	require.ErrorIs(t, err, backend.ErrPrecondition)
}

func TestServerThatIgnoresRangesIsRead(t *testing.T) {
	s := storeOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"x"`)
		_, _ = io.WriteString(w, "0123456789")
	})
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{3, 4, "3456"}, {3, 0, "3456789"}, {0, 2, "01"}, {20, 0, ""}, {9, 5, "9"}} {
		o, r, err := s.Open(t.Context(), "k", backend.OpenOptions{Offset: c.offset, Length: c.length})
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, c.want, string(data))
		require.EqualValues(t, 10, o.Size)
	}
}

func TestChecksumsOfWholeObjectsAreCompared(t *testing.T) {
	headers := http.Header{}
	s := storeOf(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range headers {
			w.Header()[name] = values
		}
		w.Header().Set("ETag", `"x"`)
		_, _ = io.WriteString(w, "123456789")
	})
	read := func() error {
		_, r, err := s.Open(t.Context(), "k", backend.OpenOptions{})
		require.NoError(t, err)
		defer r.Close()
		_, err = io.ReadAll(r)
		return err
	}
	// The check values of the CRC catalogue
	// (https://reveng.sourceforge.io/crc-catalogue/).
	for name, value := range map[string]string{
		"X-Amz-Checksum-Crc32c": "4waSgw==", "X-Amz-Checksum-Crc32": "y/Q5Jg==", "X-Amz-Checksum-Crc64nvme": "rosUhgp5mIg=",
	} {
		headers = http.Header{name: {value}}
		require.NoError(t, read(), name)
		headers = http.Header{name: {"A" + value[1:]}}
		require.ErrorIs(t, read(), backend.ErrChecksum, name)
		headers = http.Header{name: {"A" + value[1:] + "-3"}}
		require.NoError(t, read(), "a checksum of checksums")
		headers = http.Header{name: {"A" + value[1:]}, "X-Amz-Checksum-Type": {"COMPOSITE"}}
		require.NoError(t, read(), "a checksum of checksums")
	}
}

func TestAnswersWithoutTheNeedfulAreNoObjects(t *testing.T) {
	headers := http.Header{}
	s := storeOf(t, func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range headers {
			w.Header()[name] = values
		}
	})
	for _, h := range []http.Header{{}, {"Content-Length": {"5"}}, {"Etag": {`""`}}} {
		headers = h
		_, err := s.Stat(t.Context(), "k")
		require.ErrorIs(t, err, backend.ErrUnavailable, "%v", h)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	seen := map[string]bool{}
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		seen[r.RemoteAddr] = true
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"x"`)
		if strings.HasSuffix(r.URL.Path, "absent") {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>"+strings.Repeat(" ", 1000))
			return
		}
		if r.Method != http.MethodPut {
			w.Header().Set("Content-Length", "5")
			_, _ = io.WriteString(w, "12345")
		}
	})
	for range 3 {
		_, err := s.Put(t.Context(), "k", backend.Bytes(bytes.Repeat([]byte("x"), 100_000)), backend.PutOptions{})
		require.NoError(t, err)
		_, _, err = s.Open(t.Context(), "absent", backend.OpenOptions{})
		require.ErrorIs(t, err, fs.ErrNotExist)
		o, r, err := s.Open(t.Context(), "k", backend.OpenOptions{})
		require.NoError(t, err)
		_, err = io.ReadFull(r, make([]byte, o.Size)) // does not read the io.EOF
		require.NoError(t, err)
		require.NoError(t, r.Close())
		_, err = s.Stat(t.Context(), "k")
		require.NoError(t, err)
	}
	require.Len(t, seen, 1)
}

// A large body is not sent where its condition fails.
func TestLargeBodiesWaitForTheServer(t *testing.T) {
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusPreconditionFailed)
	})
	body, closed := bodyOf(100<<20, readerFunc(func([]byte) (int, error) { panic("the body is read") }))
	_, err := s.Put(t.Context(), "k", body, backend.PutOptions{If: backend.Condition{Absent: true}})
	require.ErrorIs(t, err, fs.ErrExist)
	require.EqualValues(t, 1, closed.Load())
}

// The answer may be lost when the server closes amid the body.
func TestBreakAmidAConditionalBodyIsExplained(t *testing.T) {
	tag, heads := `"new"`, 0
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			heads++
			w.Header().Set("ETag", tag)
			w.Header().Set("Content-Length", "1")
			return
		}
		_, _ = io.CopyN(io.Discard, r.Body, 100_000)
		conn, _, _ := http.NewResponseController(w).Hijack()
		conn.Close()
	})
	put := func(c backend.Condition) error {
		body, _ := bodyOf(64<<20, io.LimitReader(endless{}, 64<<20))
		_, err := s.Put(t.Context(), "k", body, backend.PutOptions{If: c})
		return err
	}
	require.ErrorIs(t, put(backend.Condition{Match: "old"}), backend.ErrPrecondition)
	require.ErrorIs(t, put(backend.Condition{Absent: true}), fs.ErrExist)
	require.Equal(t, 2, heads)
	require.ErrorIs(t, put(backend.Condition{Match: "new"}), backend.ErrUnavailable)
	require.ErrorIs(t, put(backend.Condition{}), backend.ErrUnavailable)
	require.Equal(t, 3, heads)
}

// What is stored compressed stays so, and nothing is compressed for the way.
func TestBytesComeAsTheyAreStored(t *testing.T) {
	stored := []byte("\x1f\x8b no gzip at all")
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			w.WriteHeader(http.StatusNotAcceptable)
			return
		}
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(stored)
	})
	o, r, err := s.Open(t.Context(), "k", backend.OpenOptions{})
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, stored, data)
	require.Equal(t, "gzip", o.Metadata.ContentEncoding)
}
