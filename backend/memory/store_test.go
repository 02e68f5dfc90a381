package memory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

func TestOpeningANameTwiceShowsTheSameObjects(t *testing.T) {
	ctx := t.Context()
	d := memory.New()
	a, err := d.Open(ctx, backend.Settings{"name": "a"})
	require.NoError(t, err)
	again, err := d.Open(ctx, backend.Settings{"name": "a"})
	require.NoError(t, err)
	b, err := d.Open(ctx, backend.Settings{"name": "b"})
	require.NoError(t, err)
	put, err := a.Put(ctx, "k", backend.Bytes([]byte("x")), backend.PutOptions{})
	require.NoError(t, err)

	got, err := again.Stat(ctx, "k")
	require.NoError(t, err)
	assert.Equal(t, put.Tag, got.Tag)
	assert.Equal(t, a.Properties().Location, again.Properties().Location)
	assert.Equal(t, 1, d.Store("a").Len())
	assert.Zero(t, d.Store("b").Len())
	assert.NotEqual(t, a.Properties().Location, b.Properties().Location)
	assert.NotEqual(t, a.Properties().Location, memory.New().Store("a").Properties().Location, "another driver's store is another place")
}

func TestOpenNeedsAName(t *testing.T) {
	d := memory.New()
	assert.Equal(t, "memory", d.Name())
	assert.ErrorContains(t, d.Schema().Validate(nil), "name")
	_, err := d.Open(t.Context(), backend.Settings{})
	assert.ErrorContains(t, err, "name")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Open(cancelled, backend.Settings{"name": "a"})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestNegativeRangeIsRefused(t *testing.T) {
	s := memory.NewBackend()
	_, err := s.Put(t.Context(), "k", backend.Bytes([]byte("x")), backend.PutOptions{})
	require.NoError(t, err)
	for _, o := range []backend.OpenOptions{{Offset: -1}, {Length: -1}} {
		_, _, err := s.Open(t.Context(), "k", o)
		assert.ErrorContains(t, err, "range")
	}
}

// A body of unknown size must not get around the limit of a known one.
func TestUnknownSizeBeyondMaxPutIsTooLarge(t *testing.T) {
	s := memory.NewBackend(memory.WithProperties(func(p *backend.Properties) { p.MaxPut = 10 }))
	for n, want := range map[int]error{9: nil, 10: nil, 11: backend.ErrTooLarge, 5000: backend.ErrTooLarge} {
		body := backend.Bytes(make([]byte, n))
		body.Size = -1
		_, err := s.Put(t.Context(), fmt.Sprint(n), body, backend.PutOptions{})
		assert.ErrorIs(t, err, want, n)
	}
	assert.Equal(t, 2, s.Len())
}

// A Size that lies must cost an error, not the memory that it claims.
func TestHugeSizeDoesNotAllocate(t *testing.T) {
	s := memory.NewBackend()
	for _, size := range []int64{1 << 40, 1<<63 - 1} {
		body := backend.Bytes([]byte("x"))
		body.Size = size
		_, err := s.Put(t.Context(), "k", body, backend.PutOptions{})
		assert.ErrorIs(t, err, backend.ErrChecksum)
	}
}

func TestPageSizeIsKept(t *testing.T) {
	s := memory.NewBackend(memory.WithPageSize(3))
	for i := range 8 {
		_, err := s.Put(t.Context(), fmt.Sprint(i), backend.Bytes(nil), backend.PutOptions{})
		require.NoError(t, err)
	}
	var sizes []int
	for page, err := range s.List(t.Context(), backend.ListOptions{}) {
		require.NoError(t, err)
		sizes = append(sizes, len(page))
	}
	assert.Equal(t, []int{3, 3, 2}, sizes)
}

func TestMetadataNamesThatCollideAreRefused(t *testing.T) {
	s := memory.NewBackend()
	for _, user := range []map[string]string{{"A": "1", "a": "2"}, {"": "x"}, {"MTime": "1"}} {
		_, err := s.Put(t.Context(), "k", backend.Bytes(nil), backend.PutOptions{Metadata: backend.Metadata{User: user}})
		assert.ErrorIs(t, err, backend.ErrInvalidMetadata, user)
	}
	assert.Zero(t, s.Len())
}

func TestErrorOfTheBodyIsKept(t *testing.T) {
	broken := errors.New("disk on fire")
	_, err := memory.NewBackend().Put(t.Context(), "k", backend.Body{
		Size: 1, Open: func(int64) (io.ReadCloser, error) { return nil, broken },
	}, backend.PutOptions{})
	assert.ErrorIs(t, err, broken)
}

// BenchmarkMillion is what tests of large listings cost: a million keys
// written in no order, and listed.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		s := memory.NewBackend()
		for i := range 1_000_000 {
			if _, err := s.Put(b.Context(), fmt.Sprint(i*7919%1_000_003), backend.Bytes(nil), backend.PutOptions{}); err != nil {
				b.Fatal(err)
			}
		}
		n := 0
		for page, err := range s.List(b.Context(), backend.ListOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(page)
		}
		if n != 1_000_000 {
			b.Fatal(n)
		}
	}
}
