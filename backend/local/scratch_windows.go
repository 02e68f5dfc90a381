package local

import "golang.org/x/sys/windows"

// Windows removes the file with its last handle, whatever ends the process.
const (
	deleteOnClose = windows.O_FILE_FLAG_DELETE_ON_CLOSE
	tempVariable  = "TMP"
)
