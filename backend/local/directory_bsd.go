//go:build unix && !linux

package local

import (
	"errors"
	"io"
	"io/fs"
)

const searchOnly = 0

func openBeneath(top int, path string, read bool) (int, error) { return walkBeneath(top, path, read) }

// names calls fn for every name in the directory with what kind of file it is.
// The kind comes from a stat of our own: os.File.ReadDir would look by path.
func (d directory) names(fn func(name []byte, kind fs.FileMode) error) error {
	for {
		names, err := d.f.Readdirnames(1024)
		for _, name := range names {
			v, err := d.stat(name)
			if missing(err) {
				continue
			}
			if err == nil {
				err = fn([]byte(name), v.mode.Type())
			}
			if err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
