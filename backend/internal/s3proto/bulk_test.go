package s3proto

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// What many deletions are sent as, and that the answer has to name every key.
func TestManyDeletionsAreOneDocumentAndEachHasItsAnswer(t *testing.T) {
	var sent, answer string
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		sum := md5.Sum(data)
		if r.Method != http.MethodPost || r.URL.RawQuery != "delete=" || r.Header.Get("Content-MD5") != base64.StdEncoding.EncodeToString(sum[:]) {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		sent = string(data)
		_, _ = io.WriteString(w, answer)
	})
	s.properties.BulkDelete.IfMatch = true // as AWS does
	answer = `<?xml version="1.0"?><DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
		`<Deleted><Key>a&amp;b</Key></Deleted>` +
		`<Error><Key>moved</Key><Code>PreconditionFailed</Code><Message>no</Message></Error>` +
		`<Error><Key>mine</Key><Code>AccessDenied</Code></Error>` +
		`<Error><Key>busy</Key><Code>SlowDown</Code></Error>` +
		`<Error><Key>gone</Key><Code>NoSuchKey</Code></Error>` +
		`<Error><Key>odd</Key><Code>Unheard</Code></Error></DeleteResult>`
	errs := s.DeleteMany(t.Context(), []backend.Deletion{
		{Key: "a&b", IfMatch: "t-1"}, {Key: "moved", IfMatch: "t-2"}, {Key: "con\x01trol"}, {Key: "mine"}, {Key: "busy"}, {Key: "gone"}, {Key: "odd"}, {Key: "unnamed"}, {Key: ""},
	})
	require.Equal(t, `<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>false</Quiet>`+
		`<Object><Key>a&amp;b</Key><ETag>&#34;t-1&#34;</ETag></Object><Object><Key>moved</Key><ETag>&#34;t-2&#34;</ETag></Object>`+
		`<Object><Key>mine</Key></Object><Object><Key>busy</Key></Object><Object><Key>gone</Key></Object><Object><Key>odd</Key></Object><Object><Key>unnamed</Key></Object></Delete>`, sent)
	require.NoError(t, errs[0])
	for i, class := range map[int]error{
		1: backend.ErrPrecondition, 2: errors.ErrUnsupported, 3: fs.ErrPermission, 4: backend.ErrThrottled, 7: backend.ErrUnavailable, 8: backend.ErrInvalidKey,
	} {
		require.ErrorIs(t, errs[i], class, i)
	}
	require.NoError(t, errs[5], "absent is as good as deleted")
	require.Error(t, errs[6])
	require.False(t, backend.Definite(errs[6]) || backend.Retryable(errs[6]), "of an unknown answer nothing is known")
	var carrier *backend.Error
	require.ErrorAs(t, errs[3], &carrier)
	require.Equal(t, "mine", carrier.Key)
}

// No answer but a whole one says that anything is deleted, or absent.
func TestManyDeletionsBelieveOnlyAWholeAnswer(t *testing.T) {
	var answer string
	status := http.StatusOK
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, answer)
		}
	})
	try := func() error {
		errs := s.DeleteMany(t.Context(), []backend.Deletion{{Key: "a"}, {Key: "b"}})
		require.Len(t, errs, 2)
		require.Equal(t, errs[0] == nil, errs[1] == nil)
		return errs[0]
	}
	answer = `<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted></DeleteResult>`
	require.NoError(t, try())
	for _, wrong := range []string{
		"", "<html>sign in</html>", "<DeleteResult></DeleteResult>", "<Error><Code>InternalError</Code></Error>",
		`<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted>`,
	} {
		answer = wrong
		err := try()
		require.ErrorIs(t, err, backend.ErrUnavailable, wrong)
		require.NotErrorIs(t, err, fs.ErrNotExist)
	}
	// A server that knows no such request says so of no object.
	answer = ""
	for status, class := range map[int]error{404: errors.ErrUnsupported, 405: errors.ErrUnsupported, 501: errors.ErrUnsupported, 403: fs.ErrPermission, 503: backend.ErrUnavailable} {
		status := status
		s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(status)
			}
		})
		errs := s.DeleteMany(t.Context(), []backend.Deletion{{Key: "a"}})
		require.ErrorIs(t, errs[0], class, status)
		require.NotErrorIs(t, errs[0], fs.ErrNotExist, status)
	}
	tooMany := s.DeleteMany(t.Context(), make([]backend.Deletion, maxBulkDelete+1))
	require.ErrorIs(t, tooMany[maxBulkDelete], errors.ErrUnsupported)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.DeleteMany(ended, []backend.Deletion{{Key: "a"}})[0], context.Canceled)
}
