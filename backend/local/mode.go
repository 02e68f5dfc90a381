package local

import (
	"io/fs"
	"strconv"
)

// modeName is the user metadata under which permission bits travel, the name
// that rclone and s3fs know.
const modeName = "mode"

const (
	typeBits    = 0o170000
	regularFile = 0o100000
)

// formatMode writes type and permissions in octal with a zero before it, which
// rclone reads as octal, and s3fs too, for which other numbers are decimal.
func formatMode(mode fs.FileMode) string {
	return "0" + strconv.FormatUint(uint64(regularFile|mode.Perm()), 8)
}

// parseMode reads what formatMode, rclone (octal) or s3fs (decimal, with the
// type) wrote of a regular file. No number can be meant either way: the decimal
// ones of regular files, 32768 to 36863, are read in octal no regular file's.
// Of all bits it returns the permissions alone, since who may write to a store
// is not to say what runs with the rights of others here.
func parseMode(text string) (fs.FileMode, bool) {
	bits, err := strconv.ParseUint(text, 8, 32)
	if err != nil || bits&typeBits != regularFile && bits > 0o7777 {
		bits, err = strconv.ParseUint(text, 10, 32)
		if err != nil || bits&typeBits != regularFile {
			return 0, false
		}
	}
	return fs.FileMode(bits) & fs.ModePerm, true
}
