package local

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkSortedNames sorts a million names of 30 characters and goes through
// them: all in memory, as they are in small directories, and by way of the disk.
func BenchmarkSortedNames(b *testing.B) {
	const count = 1_000_000
	all := make([][]byte, count)
	for i := range all {
		all[i] = fmt.Appendf(nil, "photo-%020x.jpg", rand.Uint64())
	}
	for name, limits := range map[string]sortLimits{"memory": {1 << 30, spillRuns}, "disk": {heldBytes, spillRuns}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s := newSortedNames(limits)
				for _, name := range all {
					if err := s.add(name, isFile); err != nil {
						b.Fatal(err)
					}
				}
				require.NoError(b, s.sort())
				n := 0
				for {
					e, err := s.next()
					require.NoError(b, err)
					if len(e.list) == 0 {
						break
					}
					n += len(e.list)
				}
				require.Equal(b, count, n)
				s.close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/name")
		})
	}
}
