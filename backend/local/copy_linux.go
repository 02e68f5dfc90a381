package local

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// copyRange has the kernel copy from the beginning of src without moving its
// position. It returns how far it came: where the kernel cannot do it (two
// file systems, an old kernel) the caller copies the rest, and meets any real
// error there.
func copyRange(ctx context.Context, dst, src *os.File, size int64) (int64, error) {
	var n int64
	for n < size {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		from, to := n, n
		got, err := retry(func() (int, error) {
			return unix.CopyFileRange(int(src.Fd()), &from, int(dst.Fd()), &to, int(min(size-n, kernelStep)), 0)
		})
		if err != nil || got == 0 {
			return n, nil
		}
		n += int64(got)
	}
	return n, nil
}
