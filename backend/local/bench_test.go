package local

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// BenchmarkList lists 100,000 files: in one directory, and in a thousand.
func BenchmarkList(b *testing.B) {
	const files = 100_000
	for name, perDir := range map[string]int{"flat": files, "tree": 100} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			for i := range files {
				path := filepath.Join(dir, fmt.Sprintf("dir-%05d/file-%06d.dat", i/perDir, i))
				if i%perDir == 0 {
					require.NoError(b, os.MkdirAll(filepath.Dir(path), 0o777))
				}
				f, err := os.Create(path)
				require.NoError(b, err)
				f.Close()
			}
			s := open(b, dir)
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for page, err := range s.List(b.Context(), backend.ListOptions{}) {
					require.NoError(b, err)
					n += len(page)
				}
				require.Equal(b, files, n)
			}
			b.ReportMetric(files*float64(b.N)/b.Elapsed().Seconds(), "files/s")
		})
	}
}

// BenchmarkPut writes objects of 4 KiB, one at a time and eight at once.
func BenchmarkPut(b *testing.B) {
	data := backend.Bytes(make([]byte, 4096))
	for _, durability := range []string{"none", "full"} {
		for _, metadata := range []backend.Metadata{{}, {ContentType: "text/plain", User: map[string]string{"a": "b"}}} {
			name := "bare"
			if metadata.ContentType != "" {
				name = "metadata"
			}
			b.Run(durability+"/"+name, func(b *testing.B) {
				s := open(b, b.TempDir(), "durability", durability)
				for i := 0; b.Loop(); i++ {
					_, err := s.Put(b.Context(), fmt.Sprintf("%02d/%d", i%100, i), data, backend.PutOptions{Metadata: metadata})
					require.NoError(b, err)
				}
			})
			b.Run(durability+"/"+name+"/parallel", func(b *testing.B) {
				s := open(b, b.TempDir(), "durability", durability)
				b.SetParallelism(4)
				b.RunParallel(func(pb *testing.PB) {
					for i := 0; pb.Next(); i++ {
						_, err := s.Put(b.Context(), fmt.Sprintf("%02d/%p-%d", i%100, pb, i), data, backend.PutOptions{Metadata: metadata})
						require.NoError(b, err)
					}
				})
			})
		}
	}
}

func BenchmarkStat(b *testing.B) {
	s := open(b, b.TempDir())
	_, err := s.Put(b.Context(), "a/b/c/d", backend.Bytes(nil), backend.PutOptions{})
	require.NoError(b, err)
	for b.Loop() {
		_, err := s.Stat(b.Context(), "a/b/c/d")
		require.NoError(b, err)
	}
}
