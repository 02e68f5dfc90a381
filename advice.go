package replication

import (
	"errors"

	"github.com/objrepl/replication/backend"
)

// advised are the classes of failure whose remedy is in the policy or at the
// other store, of which a driver knows nothing. What is wrong with a driver's own
// settings it says itself (backend.Error.Hint).
var advised = []struct {
	class  error
	advice string
}{
	{backend.ErrInvalidKey, "rename the object at the source, or leave it out with exclude"},
	{backend.ErrInvalidMetadata, "change the object's metadata at the source, or leave it out with exclude"},
	{backend.ErrThrottled, "lower the policy's concurrency, or raise the store's limit"},
	{backend.ErrTooLarge, "leave the object out with exclude, or choose another store"},
	{backend.ErrNoSpace, "make room in the store"},
}

// adviceOn returns "; " and what a person can change, or nothing where the driver
// has said so or nobody knows.
func adviceOn(err error) string {
	var carrier *backend.Error
	if errors.As(err, &carrier) && carrier.Hint != "" {
		return ""
	}
	for _, a := range advised {
		if errors.Is(err, a.class) {
			return "; " + a.advice
		}
	}
	return ""
}
