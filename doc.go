// Package replication keeps objects in one store replicated to another, by
// policy: a local directory, Amazon S3, MinIO and whatever else has a driver,
// any to any. It is a library without a server: the application imports it,
// says which drivers it wants, and calls it.
//
//	r, err := replication.New(
//		replication.WithStateDir("/var/lib/app/replication"),
//		replication.WithDrivers(s3.Driver),
//	)
//	err = r.AddPolicy(ctx, replication.Policy{
//		ID:                  "dr",
//		SourceBackend:       "local",
//		SourceSettings:      map[string]string{"path": "/srv/data"},
//		DestinationBackend:  "s3",
//		DestinationSettings: map[string]string{"bucket": "data-dr", "region": "eu-central-1"},
//		Enabled:             true,
//	})
//	result, err := r.SyncPolicy(ctx, "dr")
//
// # A pass
//
// [Replicator.SyncPolicy] runs one pass: it lists source and destination,
// merges the two listings with a ledger of what it did before, and copies and
// deletes what differs. An unchanged tree costs the listings and nothing else.
// Memory does not grow with the number of objects.
//
// # What it never does
//
// A pass writes and deletes only objects that its policy wrote, and each only
// in the version that it last saw, as far as the store honours conditions. It
// deletes nothing unless both listings were complete, and nothing at all when
// the source is empty or the deletions exceed the policy's brake. A failure of
// one object is counted and listed and does not stop the others.
//
// # Compatibility
//
// The exported API, the JSON and YAML forms of a policy and the files under
// the state directory follow semantic versioning; docs/FORMAT.md in the
// repository specifies the files. Metadata names that begin with "objrepl-"
// are reserved.
package replication
