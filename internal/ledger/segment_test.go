package ledger

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime/metrics"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

func someRows() []row {
	return []row{
		{Key: "a", SourceTag: "s", SourceSize: 1, DestinationTag: "d"},
		{Key: "a/b", SourceTag: "s", SourceStamp: "c", DestinationTag: "e", Digest: []byte("0123456789abcdef"), Flags: flagAdopted},
		{Key: "z", Flags: flagGone},
	}
}

// segmentOf returns a segment as the ledger writes it.
func segmentOf(t testing.TB, rows ...row) []byte {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	w := newSegmentWriter(file)
	for _, r := range rows {
		require.NoError(t, w.write(r))
	}
	require.NoError(t, w.close())
	require.NoError(t, file.Close())
	data, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	return data
}

// believe reads bytes as a segment, as though their checksum were right.
func believe(t testing.TB, data []byte, rows int64) (n int, err error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "segment")
	require.NoError(t, os.WriteFile(name, data, 0o600))
	file, err := os.Open(name)
	require.NoError(t, err)
	r, err := newSegmentReader(file, segmentInfo{Name: "segment-X.parquet", Size: int64(len(data)), Rows: rows})
	if err != nil {
		return 0, err
	}
	for {
		if _, err := r.read(); errors.Is(err, io.EOF) {
			return n, r.close()
		} else if err != nil {
			return n, errors.Join(err, r.close())
		}
		n++
	}
}

func TestASegmentOfALaterVersionIsRefusedByName(t *testing.T) {
	write := func(version string) []byte {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b, parquet.Compression(&zstd.Codec{}), parquet.KeyValueMetadata(versionKey, version))
		_, err := w.Write(someRows())
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	n, err := believe(t, write("1"), 3)
	require.NoError(t, err)
	require.Equal(t, 3, n)
	_, err = believe(t, write("2"), 3)
	require.ErrorContains(t, err, "segment-X.parquet has format version 2; this program reads version 1")
	require.NotErrorIs(t, err, ErrDamaged, "it is not dropped")
	_, err = believe(t, write("one"), 3)
	require.ErrorIs(t, err, ErrDamaged)
}

func TestASegmentOfAnotherFormIsDamaged(t *testing.T) {
	write := func(opts ...parquet.WriterOption) []byte {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b, append(opts, parquet.KeyValueMetadata(versionKey, formatVersion))...)
		_, err := w.Write(someRows())
		require.NoError(t, err)
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	_, err := believe(t, write(parquet.Compression(&parquet.Snappy)), 3)
	require.ErrorIs(t, err, ErrDamaged)
	_, err = believe(t, write(parquet.Compression(&zstd.Codec{})), 4)
	require.ErrorContains(t, err, "has 3 rows, not 4")
	require.ErrorIs(t, err, ErrDamaged)

	var b bytes.Buffer
	w := parquet.NewGenericWriter[struct{ Key string }](&b, parquet.Compression(&zstd.Codec{}), parquet.KeyValueMetadata(versionKey, formatVersion))
	_, err = w.Write([]struct{ Key string }{{"a"}})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = believe(t, b.Bytes(), 1)
	require.ErrorIs(t, err, ErrDamaged)
}

func TestKeysOutOfOrderAreDamage(t *testing.T) {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.Compression(&zstd.Codec{}), parquet.KeyValueMetadata(versionKey, formatVersion))
	_, err := w.Write([]row{{Key: "b"}, {Key: "a"}})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = believe(t, b.Bytes(), 2)
	require.ErrorIs(t, err, ErrDamaged)
}

// A reader that believed a segment's end would take the rows behind it for gone.
func TestASegmentThatEndsEarlyIsDamaged(t *testing.T) {
	data := segmentOf(t, someRows()...)
	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	_, err = file.Write(data)
	require.NoError(t, err)
	r, err := newSegmentReader(file, segmentInfo{Name: "segment-X.parquet", Size: int64(len(data)), Rows: 3})
	require.NoError(t, err)
	r.info.Rows = 4 // as though its pages held fewer rows than its footer says
	for err == nil {
		_, err = r.read()
	}
	require.ErrorContains(t, err, "ends after 3 rows")
	require.ErrorIs(t, err, ErrDamaged)
	require.NoError(t, r.close())
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// noticed wants bytes in the place of a segment to be noticed before any of them
// is believed, and so at the cost of one reading and no memory.
func noticed(t *testing.T, b backend.Backend, info segmentInfo, data []byte) {
	t.Helper()
	_, err := b.Put(t.Context(), info.Name, backend.Bytes(data), backend.PutOptions{})
	require.NoError(t, err)
	f := files{backend: b, scratch: t.TempDir()}
	before := allocated()
	_, err = f.openSegment(t.Context(), info)
	require.ErrorIs(t, err, ErrDamaged)
	require.Less(t, allocated()-before, uint64(1<<20))
}

func infoOf(data []byte) segmentInfo {
	return segmentInfo{Name: "segment-X.parquet", Size: int64(len(data)), Rows: 3, CRC32C: crc32.Checksum(data, castagnoli), First: []byte("a"), Last: []byte("z")}
}

func TestEveryFlippedBitOfASegmentIsNoticed(t *testing.T) {
	data := segmentOf(t, someRows()...)
	b := memory.NewBackend()
	for i := range data {
		flipped := bytes.Clone(data)
		flipped[i] ^= 1 << (i % 8)
		noticed(t, b, infoOf(data), flipped)
	}
}

func TestEveryTruncatedSegmentIsNoticed(t *testing.T) {
	data := segmentOf(t, someRows()...)
	b := memory.NewBackend()
	for n := range data {
		noticed(t, b, infoOf(data), data[:n])
	}
}

// Bytes that the manifest does not vouch for are never believed.
func FuzzOpenSegment(f *testing.F) {
	data := segmentOf(f, someRows()...)
	f.Add(data[:len(data)-1])
	f.Add([]byte("PAR1"))
	f.Fuzz(func(t *testing.T, hostile []byte) {
		if !bytes.Equal(hostile, data) {
			noticed(t, memory.NewBackend(), infoOf(data), hostile)
		}
	})
}

// Bytes that have the right checksum all the same end in an error or in rows, and
// in no panic. Their memory is bounded by what the headers of their pages claim:
// only who can write the manifest too can make it large.
func FuzzReadSegment(f *testing.F) {
	f.Add(segmentOf(f, someRows()...))
	f.Add(segmentOf(f))
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := believe(t, data, 3)
		if err == nil && n != 3 {
			t.Fatalf("%d rows of 3 and no error", n)
		}
	})
}
