package memory

import (
	"iter"
	"slices"
	"strings"
)

// chunkLen is where a chunk of the index is split in two. Inserting moves at
// most one chunk of pointers and, once in chunkLen/2 inserts, the list of
// chunks: at a million keys some 16 KiB, so that nothing has to be sorted.
const chunkLen = 512

// An index holds versions in byte order of their keys: a sorted list of
// sorted, never empty chunks. Its zero value is empty.
type index struct {
	chunks [][]*version
	len    int
}

// at returns where a key is or belongs: its chunk, and its place in there.
func (x *index) at(key string) (chunk, place int, found bool) {
	// The last chunk that begins at or before the key.
	chunk, found = slices.BinarySearchFunc(x.chunks, key, func(c []*version, key string) int {
		return strings.Compare(c[0].object.Key, key)
	})
	if !found && chunk > 0 {
		chunk--
	}
	if chunk == len(x.chunks) {
		return chunk, 0, false
	}
	place, found = slices.BinarySearchFunc(x.chunks[chunk], key, func(v *version, key string) int {
		return strings.Compare(v.object.Key, key)
	})
	return chunk, place, found
}

// get returns the version under a key, or nil.
func (x *index) get(key string) *version {
	chunk, place, found := x.at(key)
	if !found {
		return nil
	}
	return x.chunks[chunk][place]
}

// set puts v in the place of whatever is under its key.
func (x *index) set(v *version) {
	i, place, found := x.at(v.object.Key)
	if found {
		x.chunks[i][place] = v
		return
	}
	x.len++
	if i == len(x.chunks) {
		x.chunks = append(x.chunks, []*version{v})
		return
	}
	c := slices.Insert(x.chunks[i], place, v)
	x.chunks[i] = c
	if len(c) > chunkLen {
		upper := slices.Clone(c[len(c)/2:])
		clear(c[len(c)/2:])
		x.chunks[i] = c[:len(c)/2]
		x.chunks = slices.Insert(x.chunks, i+1, upper)
	}
}

// remove takes a key out, if it is there.
func (x *index) remove(key string) {
	i, place, found := x.at(key)
	if !found {
		return
	}
	x.len--
	x.chunks[i] = slices.Delete(x.chunks[i], place, place+1)
	if len(x.chunks[i]) == 0 {
		x.chunks = slices.Delete(x.chunks, i, i+1)
	}
}

// from yields in order the versions whose keys are greater than after and not
// less than least.
func (x *index) from(after, least string) iter.Seq[*version] {
	return func(yield func(*version) bool) {
		i, place, found := x.at(max(after, least))
		if found && after >= least && after != "" {
			place++
		}
		for ; i < len(x.chunks); i, place = i+1, 0 {
			for ; place < len(x.chunks[i]); place++ {
				if !yield(x.chunks[i][place]) {
					return
				}
			}
		}
	}
}
