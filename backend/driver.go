package backend

import "context"

// A Driver opens backends of one kind. Implementations are stateless values
// (or, like the memory driver, hold the stores themselves) and safe for
// concurrent use.
type Driver interface {
	// Name is how policies name the driver: "s3".
	Name() string
	// Schema describes the settings that Open takes.
	Schema() Schema
	// Open opens the store that the settings name. The settings have been
	// checked against the schema, defaults filled in and references resolved.
	// Open may fail without reaching the store, but need not reach it: a
	// missing bucket may show itself at the first call instead.
	Open(ctx context.Context, s Settings) (Backend, error)
}

// Settings are the resolved settings of one backend, by name.
type Settings map[string]string
