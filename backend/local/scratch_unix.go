//go:build unix

package local

// An open file needs no name, and so has none from the start.
const (
	deleteOnClose = 0
	tempVariable  = "TMPDIR"
)
