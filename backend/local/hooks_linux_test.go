package local

import (
	"testing"
)

// useWalk makes directories be opened one name at a time, as on kernels and
// systems without openat2.
func useWalk(t *testing.T) {
	noOpenat2.Store(true)
	t.Cleanup(func() { noOpenat2.Store(false) })
}
