package replication

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"time"

	"github.com/objrepl/replication/backend"
)

// uploadsDir holds, in a policy's state, a journal of each upload in
// parts that is not complete, or is about to be begun. docs/FORMAT.md specifies
// them.
const (
	uploadsDir     = "uploads"
	journalVersion = 1
)

// An uploadJournal is what another process needs to go on with an upload, or to
// find it. It is written before the upload is begun, and again when the store
// has named it. The store itself knows which parts it has.
type uploadJournal struct {
	Version     int    `json:"version"`
	Key         string `json:"key"`              // at the destination
	Destination string `json:"destination"`      // Location
	Upload      string `json:"upload,omitempty"` // empty before its beginning was answered
	// UnknownSince and UnknownUntil: uploads whose beginning was asked for
	// between these times, by this machine's clock, may be ours although nobody
	// knows their ids. Zero if there are none.
	UnknownSince time.Time `json:"unknown_since,omitzero"`
	UnknownUntil time.Time `json:"unknown_until,omitzero"`
	PartSize     int64     `json:"part_size"`
	Copied       bool      `json:"copied,omitempty"` // the store copies the parts itself
	SourceSize   int64     `json:"source_size"`
	SourceTag    string    `json:"source_tag"`
	SourceStamp  string    `json:"source_stamp,omitempty"`
	Operation    string    `json:"operation"`         // in the marker
	Refused      bool      `json:"refused,omitempty"` // the store would not have the key, when it was asked to complete it
}

func (j uploadJournal) fingerprint() fingerprint {
	return fingerprint{size: j.SourceSize, tag: backend.Tag(j.SourceTag), stamp: j.SourceStamp}
}

// journals are those in a policy's state. They are written and removed also
// for a pass that is being stopped.
type journals struct{ state *policyState }

// name is that of a key's journal. Keys can be longer than names.
func (js journals) name(key string) string {
	sum := sha256.Sum256([]byte(key))
	return uploadsDir + "/" + hex.EncodeToString(sum[:]) + ".json"
}

// write makes a journal durable.
func (js journals) write(ctx context.Context, j uploadJournal) error {
	j.Version = journalVersion
	raw, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return js.state.write(context.WithoutCancel(ctx), js.name(j.Key), append(raw, '\n'))
}

// read returns the journal of a key, if there is one that can be read.
func (js journals) read(ctx context.Context, key string) (j uploadJournal, found bool, err error) {
	raw, _, err := js.state.read(ctx, js.name(key))
	if errors.Is(err, fs.ErrNotExist) {
		return j, false, nil
	}
	if err != nil {
		return j, false, err
	}
	found = json.Unmarshal(raw, &j) == nil && j.Version == journalVersion && j.Key == key && j.PartSize > 0
	return j, found, nil
}

// remove forgets an upload.
func (js journals) remove(ctx context.Context, key string) error {
	return js.state.remove(context.WithoutCancel(ctx), js.name(key))
}

// all calls f, which may write and remove them, for every journal, and removes
// what is none.
func (js journals) all(ctx context.Context, f func(j uploadJournal, written time.Time)) error {
	objects, err := js.state.list(ctx, uploadsDir+"/")
	if err != nil {
		return err
	}
	var errs []error
	for _, o := range objects {
		raw, _, err := js.state.read(ctx, o.Key)
		var j uploadJournal
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			errs = append(errs, err)
		case json.Unmarshal(raw, &j) != nil || js.name(j.Key) != o.Key:
			errs = append(errs, js.state.remove(ctx, o.Key))
		case j.Version == journalVersion:
			f(j, o.Modified)
		}
	}
	return errors.Join(errs...)
}
