package durable

import "os"

// Reopen goes on with a temporary file that Create, or anybody else, made
// earlier, maybe in another process: name, relative to root, is what Commit
// renames and Abort removes.
func Reopen(root *os.Root, name string) (*File, error) {
	f, err := root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &File{File: f, root: root, temp: name}, nil
}
