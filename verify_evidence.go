package replication

import (
	"bytes"
	"context"

	"github.com/objrepl/replication/backend"
)

// provenByLedger reports whether the ledger alone says that both sides are
// equal: it knows the very versions that were listed, and their sizes agree.
func (v *verifier) provenByLedger(dec decision) bool {
	e := &dec.entry
	return dec.known && dec.source.Size == dec.destination.Size &&
		string(dec.destination.Tag) == e.DestinationTag && string(dec.source.Tag) == e.SourceTag &&
		dec.source.Size == e.SourceSize && dec.source.Stamp == e.SourceStamp && backend.Settled(e.SourceStamp)
}

// proven looks for evidence that costs less than reading both sides. Settled
// means that there was some, and that f says what it shows; read, that content was
// read for it. What fails here is for the reading of both sides to report.
func (v *verifier) proven(ctx context.Context, dec decision, f *Finding) (settled, read bool) {
	if v.provenByDigest(ctx, dec) {
		return true, true
	}
	there, err := v.stat(ctx, v.destination, dec.key)
	if err != nil {
		return false, false
	}
	if mk, ours, err := v.ownMarker(ctx, there); err == nil && ours && mk.source == fingerprintOf(dec.source) && backend.Settled(dec.source.Stamp) {
		return true, false
	}
	here, read, equal := v.provenByChecksum(ctx, dec, there)
	if !equal {
		return false, read
	}
	if detail := metadataDifference(travelling(here.Metadata), travelling(there.Metadata)); detail != "" {
		f.is(FindingMetadata, detail)
	}
	return true, read
}

// provenByDigest reports whether a file that the ledger knows, and of which only
// the stamp may have changed, has the content and metadata that were copied.
func (v *verifier) provenByDigest(ctx context.Context, dec decision) bool {
	e := &dec.entry
	if !dec.known || string(dec.destination.Tag) != e.DestinationTag || string(dec.source.Tag) != e.SourceTag || len(e.Digest) == 0 {
		return false
	}
	version, err := v.reader.digest(ctx, dec.key)
	return err == nil && bytes.Equal(version.contentDigest(), e.Digest)
}

// provenByChecksum reports whether the checksum that a store has of one side
// is that which the other side's store has, or which its bytes, read, come to.
// Here is the source's version for which that holds.
func (v *verifier) provenByChecksum(ctx context.Context, dec decision, there backend.Object) (here backend.Object, read, equal bool) {
	switch {
	case v.sameChecksum(dec.source, there):
		here, err := v.stat(ctx, v.source, dec.key)
		return here, false, err == nil && here.Size == there.Size && v.sameChecksum(here, there)
	case isMD5(there.Checksum) == isMD5(dec.source.Checksum):
		return here, false, false
	case isMD5(there.Checksum):
		source := &content{side: v.source, key: dec.key, object: dec.source}
		if err := v.hash(ctx, source, true); err != nil {
			return here, false, false
		}
		return source.version.object, true, source.md5 == there.Checksum
	}
	destination := &content{side: v.destination, key: dec.key, object: there}
	if err := v.hash(ctx, destination, true); err != nil {
		return here, false, false
	}
	here, err := v.stat(ctx, v.source, dec.key)
	return here, true, err == nil && here.Size == there.Size && destination.md5 == here.Checksum
}

func (v *verifier) stat(ctx context.Context, side *endpoint, key string) (o backend.Object, err error) {
	err = v.again.call(ctx, func() (err error) {
		o, err = side.Stat(ctx, side.key(key))
		return err
	})
	return o, err
}
