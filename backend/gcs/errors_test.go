package gcs

import (
	"io/fs"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// To package fs an EPERM of a firewall is fs.ErrPermission; the store has refused
// nothing, and may have got all of a write.
func TestErrorsOfTheSystemAreNoAnswers(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EPERM, syscall.EACCES, syscall.ENOSYS, syscall.ENOENT, syscall.ECONNRESET} {
		cause := &url.Error{Op: "Put", URL: "https://host/?sig=secret", Err: &net.OpError{Op: "write", Err: os.NewSyscallError("write", errno)}}
		err := new(Store).fail(t.Context(), "put", "key", cause)
		require.ErrorIs(t, err, backend.ErrUnavailable)
		require.NotErrorIs(t, err, fs.ErrPermission)
		require.False(t, backend.Definite(err), "%v", errno)
		require.NotContains(t, err.Error(), "secret")
	}
}
