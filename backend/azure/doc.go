// Package azure keeps objects in a container of Azure Blob Storage, as block
// blobs.
//
//	r, err := replication.New(replication.WithDrivers(azure.Driver))
//
// # Cost
//
// Every operation is one request, sent once: retries are the engine's. The
// exceptions are a Put of more than 8 MiB, which is a request for each 8 MiB and
// one more; a part of an upload, likewise; completing or aborting one, which looks
// first what is there; a server-side copy of more than 256 MiB; and an Open that
// begins at or after the end of the object. DeleteMany is one request, a Blob Batch
// of at most 256 deletions and 4 MiB.
//
// # Integrity
//
// Nothing goes to the service without its MD5, which is checked before anything
// is written. For that up to 8 MiB of a body are in memory at once, and 32 MiB of
// all bodies of one backend; parts of more than 40 MiB, which only objects above
// 390 GiB need, have a fifth of each there. Reading a whole object compares its MD5
// where the service keeps one: not of objects that were written in parts.
//
// # Conditions
//
// All of them are the service's own and atomic: If-None-Match: * and If-Match of
// writes, deletions, each deletion of a batch, commits and copies.
//
// # Uploads in parts
//
// Azure has no uploads, but blocks under a key that no commit has named. Those of
// all writers lie together, and whoever writes or deletes the object discards them
// all. An upload is then gone (fs.ErrNotExist), which Complete tells as a condition
// that does not hold where that is so. What nobody completes the service forgets a
// week after the last block; it has no other way to discard blocks, so that Abort
// marks them as not to be used. docs/FORMAT.md has the form of ids.
//
// # Listings
//
// The order is made that of bytes, see order.go. A listing cannot start at a key:
// the service has a parameter for that since 2026-02-06, which the emulator does
// not know. Accounts with a hierarchical namespace are refused at their first
// directory.
//
// # Keys
//
// Control characters, backslashes, and dots at the end of a segment are refused,
// for the service or clients of it take them for other keys.
//
// # Dependencies
//
// azblob stands at 1.8.0: later versions read listings in Apache Arrow, which adds
// 50 packages and 3 MiB to every program. azidentity is for the default identity.
package azure
