package replication

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"

	"github.com/objrepl/replication/backend"
)

// compareBuffer is what one side of a comparison holds of an object, in bytes.
const compareBuffer = 64 << 10

// examine compares the two sides of one key. Nil means that there is nothing to
// be said.
func (v *verifier) examine(ctx context.Context, dec decision) *Finding {
	f := &Finding{Key: v.source.key(dec.key), SourceSize: -1, DestinationSize: -1}
	if dec.hasSource && dec.source.Problem == nil {
		f.SourceSize = dec.source.Size
	}
	if dec.hasDestination && dec.destination.Problem == nil {
		f.DestinationSize = dec.destination.Size
	}
	switch {
	case dec.hasSource && dec.source.Problem != nil:
		return f.unreadable(v.source.wrap(dec.source.Problem))
	case dec.destination.Problem != nil:
		return f.unreadable(v.destination.wrap(dec.destination.Problem))
	case !dec.hasDestination:
		return f.is(FindingMissing, "")
	case !dec.hasSource && dec.known && !dec.entry.Adopted && string(dec.destination.Tag) == dec.entry.DestinationTag:
		return f.is(FindingExtra, "")
	case !dec.hasSource && dec.known && !dec.entry.Adopted:
		return f.is(FindingForeign, "replaced by somebody else since it was written")
	case !dec.hasSource:
		return f.is(FindingForeign, "")
	}
	since := v.outage.recoveries.Load()
	err := v.both(ctx, dec, f)
	for outOfReach(err) && v.outage.waitOut(ctx, since, err) {
		since = v.outage.recoveries.Load()
		err = v.both(ctx, dec, f)
	}
	if ctx.Err() != nil {
		return nil
	}
	if outOfReach(err) {
		if _, cause := v.outage.probe(ctx); cause != nil {
			v.stop(cause)
			return nil
		}
	}
	switch {
	case errors.Is(err, errGone):
		return nil
	case err != nil:
		return f.unreadable(err)
	}
	if f.Kind == FindingMissing {
		return f
	}
	v.compared.Add(1)
	if f.Kind == "" {
		v.equal.Add(1)
		return nil
	}
	return f
}

func (f *Finding) is(kind FindingKind, detail string) *Finding {
	f.Kind, f.Detail = kind, detail
	return f
}

func (f *Finding) unreadable(err error) *Finding {
	f.Err = err
	return f.is(FindingUnreadable, err.Error())
}

// errGone: the source no longer has the object that it listed.
var errGone = errors.New("source object is gone")

// both compares an object that both sides have listed, and leaves in f how it
// differs, if it does.
func (v *verifier) both(ctx context.Context, dec decision, f *Finding) error {
	if dec.source.Size != dec.destination.Size {
		f.is(FindingSize, "")
		return nil
	}
	if !v.options.readAll {
		settled, read := v.proven(ctx, dec, f)
		if settled && read {
			v.read.Add(1)
		}
		if settled {
			return nil
		}
	}
	v.read.Add(1)
	for moves := 1; ; moves++ {
		err := v.again.call(ctx, func() error { return v.readBoth(ctx, dec.key, f) })
		if !changed(err) || ctx.Err() != nil {
			return err
		}
		if moves == maxMoves {
			return fmt.Errorf("changed %d times while it was compared: %w", moves, err)
		}
	}
}

// readBoth compares the current versions of both sides, bytes and metadata.
func (v *verifier) readBoth(ctx context.Context, key string, f *Finding) error {
	*f = Finding{Key: f.Key, SourceSize: -1, DestinationSize: -1}
	if err := v.reader.memory.Acquire(ctx, 2*compareBuffer); err != nil {
		return err
	}
	defer v.reader.memory.Release(2 * compareBuffer)
	source, sourceReader, err := v.source.Open(ctx, v.source.key(key), backend.OpenOptions{})
	if absent(err) {
		return errGone
	}
	if err != nil {
		return v.source.wrap(err)
	}
	defer sourceReader.Close()
	f.SourceSize = source.Size
	destination, destinationReader, err := v.destination.Open(ctx, v.destination.key(key), backend.OpenOptions{})
	if absent(err) {
		f.is(FindingMissing, "")
		return nil
	}
	if err != nil {
		return v.destination.wrap(err)
	}
	defer destinationReader.Close()
	f.DestinationSize = destination.Size
	if source.Size != destination.Size {
		f.is(FindingSize, "")
		return nil
	}
	at, equal, err := equalBytes(
		sideReader{v.reader.throttle(ctx, &version{object: source}, sourceReader), v.source},
		sideReader{destinationReader, v.destination})
	switch {
	case err != nil:
		return err
	case !equal:
		f.is(FindingContent, fmt.Sprintf("from byte %d on", at))
		// Bytes that were read before the end of a body may not be of one
		// version yet.
		return v.unmoved(ctx, key, source, destination)
	}
	if detail := metadataDifference(travelling(source.Metadata), travelling(destination.Metadata)); detail != "" {
		f.is(FindingMetadata, detail)
	}
	return nil
}

// unmoved fails with errSourceChanged unless both sides still have the versions
// that were opened.
func (v *verifier) unmoved(ctx context.Context, key string, source, destination backend.Object) error {
	now, err := v.source.Stat(ctx, v.source.key(key))
	if absent(err) {
		return errGone
	}
	if err != nil {
		return v.source.wrap(err)
	}
	there, err := v.destination.Stat(ctx, v.destination.key(key))
	if err != nil && !absent(err) {
		return v.destination.wrap(err)
	}
	if now.Tag != source.Tag || there.Tag != destination.Tag {
		return errSourceChanged
	}
	return nil
}

// A sideReader says in an error which side it comes from.
type sideReader struct {
	io.Reader
	side *endpoint
}

func (r sideReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = r.side.wrap(err)
	}
	return n, err
}

// equalBytes compares two readers to their ends, where a store that cannot hold
// a version still says that it changed. It returns where they first differ.
func equalBytes(a, b io.Reader) (at int64, equal bool, err error) {
	left, right := make([]byte, compareBuffer), make([]byte, compareBuffer)
	for {
		n, errA := fill(a, left)
		if errA != nil && errA != io.EOF {
			return at, false, errA
		}
		m, errB := fill(b, right)
		if errB != nil && errB != io.EOF {
			return at, false, errB
		}
		if !bytes.Equal(left[:n], right[:m]) {
			i := 0
			for i < min(n, m) && left[i] == right[i] {
				i++
			}
			return at + int64(i), false, nil
		}
		at += int64(n)
		if errA == io.EOF && errB == io.EOF {
			return at, true, nil
		}
	}
}

// fill reads until p is full or r ends. Unlike io.ReadFull it keeps an early
// end that r reports apart from its regular one.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var read int
		read, err = r.Read(p[n:])
		n += read
	}
	return n, err
}

// metadataDifference names the metadata in which a copy differs from its
// source, or nothing. A store that keeps a time for every object has one also
// where the source had none.
func metadataDifference(source, destination backend.Metadata) string {
	var names []string
	for _, field := range []struct {
		name                string
		source, destination string
	}{
		{"content type", source.ContentType, destination.ContentType},
		{"content encoding", source.ContentEncoding, destination.ContentEncoding},
		{"content language", source.ContentLanguage, destination.ContentLanguage},
		{"content disposition", source.ContentDisposition, destination.ContentDisposition},
		{"cache control", source.CacheControl, destination.CacheControl},
	} {
		if field.source != field.destination {
			names = append(names, field.name)
		}
	}
	if !source.ModTime.IsZero() && !source.ModTime.Equal(destination.ModTime) {
		names = append(names, "modification time")
	}
	if !maps.Equal(source.User, destination.User) {
		names = append(names, "user metadata")
	}
	return strings.Join(names, ", ")
}
