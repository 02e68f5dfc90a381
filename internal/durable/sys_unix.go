//go:build unix

package durable

import "os"

// openDir opens a directory for flushing. The trailing "." makes the kernel
// insist on a directory, so that a FIFO put in its place cannot block us.
func openDir(root *os.Root, dir string) (*os.File, error) {
	if dir == "." || dir == "" {
		return root.Open(".")
	}
	return root.Open(dir + "/.")
}
