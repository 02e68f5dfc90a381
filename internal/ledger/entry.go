package ledger

// An Entry is what is known of one key.
type Entry struct {
	// Key is relative to the policy's prefixes.
	Key string
	// SourceTag, SourceSize and SourceStamp are the fingerprint of the source
	// version that was copied, from the answer that its bytes came with.
	SourceTag   string
	SourceSize  int64
	SourceStamp string
	// DestinationTag is the tag that the destination gave the copy.
	DestinationTag string
	// Digest is the beginning of the SHA-256 of the copied bytes, DigestSize
	// long, or empty where a changed stamp needs no second look.
	Digest []byte
	// Adopted: the object stood at the destination already, equal, and was
	// not written by the policy. It is kept up to date but never deleted.
	Adopted bool
}

// DigestSize is the length of Entry.Digest in bytes. 128 bits tell versions
// of one object apart; nobody gains by forging one.
const DigestSize = 16

// row is an Entry as it stands in a segment. Field order is column order and
// part of the format.
type row struct {
	Key            string `parquet:"key,delta"`
	SourceTag      string `parquet:"source_tag"`
	SourceSize     int64  `parquet:"source_size"`
	SourceStamp    string `parquet:"source_stamp"`
	DestinationTag string `parquet:"destination_tag"`
	Digest         []byte `parquet:"digest"`
	Flags          int32  `parquet:"flags"`
}

const (
	flagAdopted = 1 << iota
	// flagGone marks, in a run, a key whose entry is removed.
	flagGone
)

func (r *row) entry() Entry {
	return Entry{
		Key: r.Key, SourceTag: r.SourceTag, SourceSize: r.SourceSize, SourceStamp: r.SourceStamp,
		DestinationTag: r.DestinationTag, Digest: r.Digest, Adopted: r.Flags&flagAdopted != 0,
	}
}

func (e *Entry) row() row {
	r := row{
		Key: e.Key, SourceTag: e.SourceTag, SourceSize: e.SourceSize, SourceStamp: e.SourceStamp,
		DestinationTag: e.DestinationTag, Digest: e.Digest,
	}
	if e.Adopted {
		r.Flags |= flagAdopted
	}
	return r
}
