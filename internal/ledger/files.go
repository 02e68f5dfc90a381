package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/objrepl/replication/backend"
)

const (
	segmentPrefix = "segment-"
	segmentSuffix = ".parquet"
)

func newSegmentName() string { return segmentPrefix + rand.Text() + segmentSuffix }

func isSegmentName(name string) bool {
	id, ok := strings.CutPrefix(name, segmentPrefix)
	id, ok2 := strings.CutSuffix(id, segmentSuffix)
	return ok && ok2 && id != "" && !strings.ContainsAny(id, "/\\.")
}

// files are the objects of a ledger in their backend, and a scratch directory
// on this machine for what is being written or has to be read at random.
type files struct {
	backend backend.Backend
	prefix  string
	scratch string
}

// readManifest returns the manifest and its tag; nil and no tag where there is
// none.
func (f *files) readManifest(ctx context.Context) (*manifest, backend.Tag, error) {
	object, r, err := f.backend.Open(ctx, f.prefix+manifestName, backend.OpenOptions{})
	if isAbsent(err) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return nil, "", err
	}
	m, err := decodeManifest(data)
	return m, object.Tag, err
}

// temp makes a scratch file without a name, where the system allows it: what
// a crash leaves is gone with the process.
func (f *files) temp() (*os.File, error) {
	file, err := os.CreateTemp(f.scratch, "ledger-*.tmp")
	if err != nil {
		return nil, err
	}
	// On Windows an open file keeps its name; the caller's close removes it.
	_ = os.Remove(file.Name())
	return file, nil
}

// putSegment stores a finished segment from a scratch file and returns what a
// manifest says of it, less its rows and keys.
func (f *files) putSegment(ctx context.Context, file *os.File) (segmentInfo, error) {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return segmentInfo{}, err
	}
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, io.NewSectionReader(file, 0, size)); err != nil {
		return segmentInfo{}, err
	}
	info := segmentInfo{Name: newSegmentName(), Size: size, CRC32C: sum.Sum32()}
	body := backend.Body{Size: size, Open: func(offset int64) (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(file, offset, size-offset)), nil
	}}
	_, err = f.backend.Put(ctx, f.prefix+info.Name, body, backend.PutOptions{})
	return info, err
}

// openSegment opens a segment for reading at random after checking that it is
// what the manifest says. A missing one is ErrDamaged too.
func (f *files) openSegment(ctx context.Context, info segmentInfo) (*os.File, error) {
	object, r, err := f.backend.Open(ctx, f.prefix+info.Name, backend.OpenOptions{})
	if isAbsent(err) {
		return nil, &damage{info, "is missing"}
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if object.Size != info.Size {
		return nil, &damage{info, fmt.Sprintf("has %d bytes, not %d", object.Size, info.Size)}
	}
	sum := crc32.New(castagnoli)
	file, err := f.atRandom(r, sum)
	if err != nil {
		return nil, err
	}
	if sum.Sum32() != info.CRC32C {
		return nil, errors.Join(&damage{info, fmt.Sprintf("has checksum %08x, not %08x", sum.Sum32(), info.CRC32C)}, file.Close())
	}
	return file, nil
}

// atRandom reads all of r, adding it to sum, and returns it as a file of the
// caller's: the one behind r if there is one, otherwise a copy.
func (f *files) atRandom(r io.Reader, sum io.Writer) (*os.File, error) {
	if local, ok := r.(interface{ File() *os.File }); ok {
		if behind := local.File(); behind != nil {
			if file, err := os.Open(behind.Name()); err == nil && sameFile(file, behind) {
				if _, err := io.Copy(sum, r); err != nil {
					return nil, errors.Join(err, file.Close())
				}
				return file, nil
			} else if err == nil {
				file.Close()
			}
		}
	}
	file, err := f.temp()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(io.MultiWriter(file, sum), r); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func sameFile(a, b *os.File) bool {
	x, err1 := a.Stat()
	y, err2 := b.Stat()
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// list returns the names of the segments that are there, named by a manifest
// or not.
func (f *files) list(ctx context.Context) (names []string, err error) {
	for page, err := range f.backend.List(ctx, backend.ListOptions{Prefix: f.prefix + segmentPrefix}) {
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			if name := strings.TrimPrefix(o.Key, f.prefix); o.Problem == nil && isSegmentName(name) {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// sweep deletes those of the named segments that the manifest does not name. No
// writer after the caller may have stored any of them: it would lose what it is
// about to commit.
func (f *files) sweep(ctx context.Context, names []string, m *manifest) error {
	kept := map[string]bool{}
	for _, name := range m.names() {
		kept[name] = true
	}
	var errs []error
	for _, name := range names {
		if !kept[name] {
			errs = append(errs, f.backend.Delete(ctx, f.prefix+name, backend.DeleteOptions{}))
		}
	}
	return errors.Join(errs...)
}

// sweepScratch removes what crashed writers left in the scratch directory.
func (f *files) sweepScratch() error {
	// Not filepath.Glob: the path may hold what a pattern gives a meaning.
	leftovers, err := fs.Glob(os.DirFS(f.scratch), "ledger-*.tmp")
	for _, name := range leftovers {
		_ = os.Remove(filepath.Join(f.scratch, name)) // one in use by this process on Windows stays
	}
	return err
}
