package main

import (
	"strconv"

	"github.com/dustin/go-humanize"

	"github.com/objrepl/replication"
)

// A byteSize is a flag that holds a number of bytes, in the form of
// replication.ParseSize.
type byteSize int64

func (b *byteSize) Type() string { return "SIZE" }

func (b *byteSize) String() string { return strconv.FormatInt(int64(*b), 10) }

func (b *byteSize) Set(s string) error {
	n, err := replication.ParseSize(s)
	if err != nil {
		return err
	}
	*b = byteSize(n)
	return nil
}

// humanBytes renders a number of bytes for a person.
func humanBytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// humanCount renders a number of objects for a person.
func humanCount(n int64) string { return humanize.Comma(n) }
