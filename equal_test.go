package replication

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// md5s are the MD5 of what a store of a test holds, as other stores have them.
func md5s(h *hooked, of func(key, content string) string) {
	checksum := func(o *backend.Object) {
		o.Checksum = ""
		_, r, err := h.Store.Open(context.Background(), o.Key, backend.OpenOptions{})
		if err != nil {
			return
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err != nil {
			panic(err)
		}
		o.Checksum = of(o.Key, string(data))
	}
	h.describe = checksum
	h.page = func(page []backend.Object) []backend.Object {
		for i := range page {
			checksum(&page[i])
		}
		return page
	}
}

func md5Of(_, content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}

func noMD5(string, string) string { return "" }

// keyedMD5 has the form of an MD5 and is none, as where S3 encrypts with a key of KMS.
func keyedMD5(key, content string) string { return md5Of("", "secret"+key+content) }

// Whose checksum proves that both sides are equal is not read.
func TestEqualObjectsAreAdoptedAtTheCostOfWhatHasNoChecksum(t *testing.T) {
	for _, c := range []struct {
		name                string
		source, destination func(key, content string) string
		opens               [2]int // of source and destination by a pass, an object
		verified            [2]int // by a verification, likewise
	}{
		{"both", md5Of, md5Of, [2]int{0, 0}, [2]int{0, 0}},
		{"the source alone", md5Of, noMD5, [2]int{0, 1}, [2]int{0, 1}},
		{"the destination alone", noMD5, md5Of, [2]int{1, 0}, [2]int{1, 0}},
		{"neither", noMD5, noMD5, [2]int{1, 1}, [2]int{1, 1}},
		{"one is keyed", md5Of, keyedMD5, [2]int{1, 1}, [2]int{1, 1}},
		{"the destination alone, keyed", noMD5, keyedMD5, [2]int{1, 1}, [2]int{2, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			md5s(w.source, c.source)
			md5s(w.destination, c.destination)
			for i := range 5 {
				key := fmt.Sprint("k", i)
				w.put(w.source, key, "content of "+key)
				w.put(w.destination, key, "content of "+key)
			}
			w.source.calls()
			w.destination.calls()
			opened := func() [2]int {
				return [2]int{count(w.source.calls(), "open") / 5, count(w.destination.calls(), "open") / 5}
			}

			v, err := w.r.VerifyOf(t.Context(), w.policy)
			require.NoError(t, err)
			require.EqualValues(t, 5, v.Equal)
			require.Equal(t, c.verified, opened())
			if c.opens == [2]int{} {
				require.Zero(t, v.Read)
			} else {
				require.EqualValues(t, 5, v.Read)
			}

			require.EqualValues(t, 5, w.mustSync().Adopted)
			require.Equal(t, c.opens, opened())
			w.requireQuiet()

			_, err = w.r.VerifyOf(t.Context(), w.policy, ReadAll())
			require.NoError(t, err)
			require.Equal(t, [2]int{1, 1}, opened(), "whatever their checksums")
		})
	}
}

// Other bytes of the same size are a conflict and a finding, whatever either
// store has of them.
func TestOtherBytesAreNeverEqualByChecksum(t *testing.T) {
	sums := []func(string, string) string{md5Of, noMD5, keyedMD5}
	for i, source := range sums {
		for j, destination := range sums {
			t.Run(fmt.Sprint(i, j), func(t *testing.T) {
				w := newWorld(t)
				md5s(w.source, source)
				md5s(w.destination, destination)
				w.put(w.source, "k", "one")
				w.put(w.destination, "k", "two")
				v, err := w.r.VerifyOf(t.Context(), w.policy)
				require.ErrorIs(t, err, ErrDifferent)
				require.EqualValues(t, 1, v.Count(FindingContent))
				_, err = w.sync()
				require.ErrorIs(t, err, ErrForeignObject)
				require.Equal(t, []string{"k=two"}, w.contents(w.destination))
			})
		}
	}
}

// What a checksum says of the bytes says nothing of the metadata.
func TestMetadataIsComparedBesideChecksums(t *testing.T) {
	for i, of := range [][2]func(string, string) string{{md5Of, md5Of}, {md5Of, noMD5}, {noMD5, md5Of}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := newWorld(t)
			md5s(w.source, of[0])
			md5s(w.destination, of[1])
			w.put(w.source, "k", "one")
			_, err := w.destination.Store.Put(t.Context(), "k", backend.Bytes([]byte("one")), backend.PutOptions{Metadata: backend.Metadata{ContentType: "text/html"}})
			require.NoError(t, err)
			v, err := w.r.VerifyOf(t.Context(), w.policy)
			require.ErrorIs(t, err, ErrDifferent)
			require.EqualValues(t, 1, v.Count(FindingMetadata))
			require.Contains(t, v.Findings[0].Detail, "content type")
		})
	}
}

// A source that moves between the listing and the look is compared as it is now.
func TestAChecksumOfAnOlderVersionProvesNothing(t *testing.T) {
	for i, of := range [][2]func(string, string) string{{md5Of, md5Of}, {md5Of, noMD5}, {noMD5, md5Of}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			w := newWorld(t)
			md5s(w.source, of[0])
			md5s(w.destination, of[1])
			w.put(w.source, "k", "one")
			w.put(w.destination, "k", "one")
			w.destination.before = firstly("stat", func() { w.put(w.source, "k", "two") })
			v, err := w.r.VerifyOf(t.Context(), w.policy)
			require.ErrorIs(t, err, ErrDifferent)
			require.EqualValues(t, 1, v.Count(FindingContent))
		})
	}
}

func TestOnlyWhatLooksLikeAnMD5IsComparedWithOne(t *testing.T) {
	require.True(t, isMD5(md5Of("", "")))
	for _, other := range []string{"", "abc", strings.ToUpper(md5Of("", "")), md5Of("", "") + "-2", strings.Repeat("g", 32), strings.Repeat("é", 16)} {
		require.False(t, isMD5(other), other)
	}
}
