// Package gcs keeps objects in Google Cloud Storage, through its JSON API and
// cloud.google.com/go/storage.
//
//	r, err := replication.New(replication.WithDrivers(gcs.Driver))
//
// Credentials are those that credentialsFile names, else the application default
// ones. With an endpoint and no credentialsFile, as for an emulator, requests
// carry none. STORAGE_EMULATOR_HOST is not looked at.
//
// # Cost
//
// Every operation is one request, sent once, since retries are the engine's. The
// exceptions: an Open asks for the metadata and then for the bytes of just that
// generation, because the headers beside the bytes are not the metadata; a body
// of more than 8 MiB goes in that many requests and one more; a 404 that does
// not say whether the object or the bucket is missing is followed by a listing
// of one. A large copy goes on over several requests where the store has to move
// its bytes.
//
// # Versions
//
// The Tag is the generation. Changing metadata alone, a storage class, a hold,
// leaves it as it is and moves the metageneration, which is the Stamp: such a
// source is looked at again, and such a destination is still the one that was
// written. Conditions are on the generation. A Delete names none, so that a
// versioned bucket keeps the version.
//
// # Integrity
//
// Uploads carry a CRC-32C that the store checks before it commits. Reading a
// whole object compares the one that the store kept, composed objects included;
// of a range the length is checked. Objects encoded with gzip are read as they
// are stored.
//
// # Parts
//
// An upload in parts consists of objects under .objrepl/, one for each part, which
// are composed 32 at a time, in levels, and then deleted for good. That prefix is
// the driver's own: listings leave it out, and no key can begin with it. What
// was interrupted is found by Sweep and by the uploads of a key. Use a bucket
// whose default storage class has no minimum duration, and whose retention
// policy lets objects be deleted: else parts cost what an object kept for that
// long does, and an upload cannot be ended. A bucket's soft delete keeps parts, and
// has them paid for, as long as it keeps anything.
package gcs
