package local

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// tiny limits put nearly every name on the disk, in many runs.
var tiny = []sortLimits{{held: 24, runs: 2}, {held: 100, runs: 3}, {held: 1000, runs: 100}}

func newSortedNames(limits sortLimits) *sortedNames {
	return &sortedNames{limits: limits, scratch: newScratch, stopped: func() error { return nil }}
}

// read returns the names up to the end or an error.
func (s *sortedNames) read() (names []string, kinds []uint8, err error) {
	names = []string{}
	for {
		e, err := s.next()
		if err != nil || len(e.list) == 0 {
			return names, kinds, err
		}
		for i, x := range e.list {
			names, kinds = append(names, string(e.name(i))), append(kinds, x.kind)
		}
	}
}

// A name may come several times, from a directory that changes meanwhile.
func TestSortedNamesEqualSortedReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			return names.Draw(t, "name") + rapid.SampledFrom([]string{"", "/"}).Draw(t, "slash")
		}), 0, 100).Draw(t, "names")
		s := newSortedNames(rapid.SampledFrom(append(tiny, sortLimits{heldBytes, spillRuns})).Draw(t, "limits"))
		defer s.close()
		for _, name := range all {
			require.NoError(t, s.add([]byte(name), uint8(len(name))))
		}
		require.NoError(t, s.sort())
		got, kinds, err := s.read()
		require.NoError(t, err)
		slices.Sort(all)
		require.Equal(t, slices.Compact(all), got)
		for i, name := range got {
			require.EqualValues(t, len(name), kinds[i])
		}
	})
}

// All that grows with what is added is looked at: the names held, the runs,
// and the blocks of them.
func TestSortedNamesTakeNoMoreMemoryThanTheyMay(t *testing.T) {
	const count = 100_000
	limits := sortLimits{held: 64 << 10, runs: 8}
	s := newSortedNames(limits)
	defer s.close()
	most := 0
	s.holds = func(n int) { most = max(most, n) }
	for i := range count {
		require.NoError(t, s.add(fmt.Appendf(nil, "%08x-%08d.jpg", uint32(i)*2654435761, i), isFile))
		if s.held.bytes() > limits.held || cap(s.held.text)+entryBytes*cap(s.held.list) > 2*limits.held {
			t.Fatalf("%d bytes held after %d names", s.held.bytes(), i+1)
		}
		if s.spill != nil && (len(s.spill.ends) >= limits.runs || cap(s.spill.block) > 2*blockSize) {
			t.Fatalf("%d runs after %d names", len(s.spill.ends), i+1)
		}
	}
	require.NoError(t, s.sort())
	require.Zero(t, cap(s.held.text)+cap(s.held.list), "given back for the merge")
	require.LessOrEqual(t, len(s.merge.runs), limits.runs)
	for _, r := range s.merge.runs {
		require.LessOrEqual(t, cap(r.buf), blockSize)
	}
	got, _, err := s.read()
	require.NoError(t, err)
	require.Len(t, got, count)
	require.True(t, slices.IsSorted(got))
	require.Positive(t, most)
	require.Less(t, most, limits.held/(entryBytes+21)+1)
}

// No name is lost or altered without an error, whatever byte of the file is
// damaged, or wherever it ends.
func TestSortedNamesNoticeDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var kept *os.File
		s := newSortedNames(sortLimits{held: 20_000, runs: 100})
		s.scratch = func() (f *os.File, err error) {
			f, err = newScratch()
			kept = f
			return f, err
		}
		defer s.close()
		var want []string
		for i := range 4000 {
			want = append(want, fmt.Sprintf("%04d-%d", i*7919%10000, i))
			require.NoError(t, s.add([]byte(want[i]), isFile))
		}
		slices.Sort(want)
		require.NoError(t, s.spillHeld())
		damage := func() {
			if rapid.Bool().Draw(t, "cut") {
				require.NoError(t, kept.Truncate(rapid.Int64Range(0, s.spill.size-1).Draw(t, "size")))
				return
			}
			at := rapid.Int64Range(0, s.spill.size-1).Draw(t, "at")
			b := make([]byte, 1)
			_, err := kept.ReadAt(b, at)
			require.NoError(t, err)
			b[0] ^= rapid.ByteRange(1, 255).Draw(t, "bits")
			_, err = kept.WriteAt(b, at)
			require.NoError(t, err)
		}
		before := rapid.Bool().Draw(t, "before the first look")
		if before {
			damage()
		}
		err := s.sort()
		got := []string{}
		if err == nil {
			if !before {
				damage()
			}
			got, _, err = s.read()
		}
		if err == nil { // what was damaged had been read already
			require.False(t, before)
			require.Equal(t, want, got)
			return
		}
		require.ErrorIs(t, err, errSpill)
		require.ErrorContains(t, err, errDamaged.Error())
		require.Equal(t, want[:len(got)], got)
	})
}

func TestScratchHasNoNameAndIsGoneOnceClosed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(tempVariable, dir)
	f, err := newScratch()
	require.NoError(t, err)
	defer f.Close()
	count := func() int {
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		return len(left)
	}
	if deleteOnClose == 0 {
		require.Zero(t, count(), "a crash now would leave it")
	}
	_, err = f.WriteAt([]byte("x"), 9)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Zero(t, count())
}
