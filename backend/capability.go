package backend

import (
	"context"
	"time"
)

// As finds a capability: it returns b, or the first backend behind b's
// Unwrap() Backend methods, that implements T. A wrapper that changes bytes or
// keys must not have Unwrap, so that what it wraps stays out of reach.
func As[T any](b Backend) (T, bool) {
	for b != nil {
		if t, ok := b.(T); ok {
			return t, true
		}
		w, ok := b.(interface{ Unwrap() Backend })
		if !ok {
			break
		}
		b = w.Unwrap()
	}
	var none T
	return none, false
}

// UploadAs finds the upload of a driver: it returns u, or the first upload behind
// u's Unwrap() PartUpload methods, that is a T.
func UploadAs[T any](u PartUpload) (T, bool) {
	for u != nil {
		if t, ok := u.(T); ok {
			return t, true
		}
		w, ok := u.(interface{ Unwrap() PartUpload })
		if !ok {
			break
		}
		u = w.Unwrap()
	}
	var none T
	return none, false
}

// A Sweeper can remove what interrupted writes of this library left behind:
// temporary files, unfinished uploads. Nothing it removes was ever visible.
type Sweeper interface {
	// Sweep removes leftovers last written before the given moment, by the
	// store's clock, and returns how many there were.
	Sweep(ctx context.Context, before time.Time) (int, error)
}

// A Creator can make the store itself: the directory of a local backend. The
// engine asks it to only for a destination that it never wrote to, or that is
// gone from the very volume that it was on: a store that vanished otherwise is an
// outage.
type Creator interface {
	// Create makes the store if it does not exist. One that exists is left as
	// it is.
	Create(ctx context.Context) error
}

// A Volumer can tell a store that was removed from one that is out of reach.
type Volumer interface {
	// Volume identifies the volume, such as a mounted file system, that the
	// store is on or would be made on. It is empty where that cannot be told, and
	// has no secrets in it. Whole says that the store is the top of the volume: a
	// directory on which a file system is mounted.
	Volume(ctx context.Context) (id string, whole bool, err error)
}
