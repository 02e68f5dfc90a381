// Package minio keeps objects in MinIO or a store like it. Signatures come from
// minio-go. It needs fewer settings than package s3, has fewer dependencies,
// and reads no AWS configuration.
//
//	r, err := replication.New(replication.WithDrivers(minio.Driver))
//
// # Cost
//
// Every operation is one request, sent once: retries are the engine's, and the
// region is a setting, so that nobody asks for the bucket's. The exceptions are
// a Stat whose 404 does not say whether the object or the bucket is missing
// (MinIO's does), which looks at the bucket too, a Stat that is refused without a
// reason, which asks for a byte to get one, and an Open that begins at or
// after the end of the object, which needs a HEAD to know what it was.
//
// # Integrity
//
// Uploads carry a CRC-32C that the store checks before it commits: in a header
// for bodies of up to 64 KiB, which are read into memory first, and after the
// body for larger ones, which are read once. Over plain http small bodies are
// signed with their SHA-256 besides; large ones are not. Use https where the
// network is not trusted. Reading a whole object compares the checksum that the
// store kept, if any.
//
// # Encryption
//
// With sse or kms_key_id the store is asked to encrypt whatever makes an object.
// The first write looks whether it does, by one HEAD where the answer does not
// say; a store that does not is sent nothing more.
//
// # Keys
//
// Keys with an empty segment, "." or ".." are refused. MinIO refuses most of
// them itself but strips a slash at the beginning, so that a write of "/a"
// would replace "a". And it holds a key below another object's, "a/b" beside
// "a", without ever listing it: do not keep such keys there.
//
// # Conditions
//
// Put and completing an upload send If-None-Match: * and If-Match, Delete
// If-Match, which MinIO ignores silently: the engine asks the server at hand
// first (backend.Properties.Varies).
//
// # Content types
//
// An object without a content type is written as "binary/octet-stream", what
// S3 itself calls such objects, and that type reads as none.
package minio
