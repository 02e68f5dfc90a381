package local

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/moby/sys/mountinfo"

	"github.com/objrepl/replication/backend"
)

var _ backend.Volumer = (*store)(nil)

// Volume implements backend.Volumer: where the file system is mounted, what of
// it, and which one it is. It is empty on systems that do not tell.
func (s *store) Volume(ctx context.Context) (id string, whole bool, err error) {
	if err := ctx.Err(); err != nil {
		return "", false, s.fail("volume", "", err)
	}
	if id, whole, err = volumeAt(s.path); err != nil {
		return "", false, s.fail("volume", "", err)
	}
	return id, whole, nil
}

// volumeAt asks for the nearest directory above path that exists.
func volumeAt(path string) (id string, whole bool, err error) {
	there, err := filepath.EvalSymlinks(path)
	exists := err == nil
	for errors.Is(err, fs.ErrNotExist) && path != filepath.Dir(path) {
		if _, link := os.Lstat(path); link == nil {
			return "", false, nil // it leads nowhere: nobody knows where it led
		}
		path = filepath.Dir(path)
		there, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return "", false, err
	}
	system, err := fileSystemID(there)
	if err != nil || system == "" {
		return "", false, nil
	}
	mounts, err := mountinfo.GetMounts(mountinfo.ParentsFilter(there))
	if err != nil { // no /proc, say
		return "", false, nil
	}
	var at *mountinfo.Info
	for _, m := range mounts {
		if at == nil || len(m.Mountpoint) >= len(at.Mountpoint) { // of several on one point the last one shows
			at = m
		}
	}
	if at == nil {
		return "", false, nil
	}
	// A hash, since a source may be an address that is nobody's business.
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %s", at.Mountpoint, at.Root, at.FSType, at.Source, system))
	return fmt.Sprintf("%x", sum[:12]), exists && at.Mountpoint == there, nil
}
