// Package s3 keeps objects in Amazon S3 or a store that speaks its protocol.
// Credentials, the addresses of AWS and signatures come from aws-sdk-go-v2.
//
//	r, err := replication.New(replication.WithDrivers(s3.Driver))
//
// # Cost
//
// Every operation is one request, sent once: retries are the engine's. The
// exceptions are a Stat whose 404 does not say whether the object or the bucket
// is missing (a HEAD's answer has no body), which looks at the bucket too, a
// Stat that is refused without a reason, which asks for a byte to get one, and
// an Open that begins at or after the end of the object, which needs a HEAD to
// know what it was.
//
// # Integrity
//
// Uploads carry a CRC-32C that the store checks before it commits: in a header
// for bodies of up to 64 KiB, which are read into memory first, and after the
// body for larger ones, which are read once. Over plain http small bodies are
// signed with their SHA-256 besides; large ones are not, since that takes a
// second reading. Use https where the network is not trusted. Reading a whole
// object compares the checksum that the store kept, if any.
//
// # Encryption
//
// With sse or kms_key_id the store is asked to encrypt whatever makes an object.
// The first write looks whether it does, by one HEAD where the answer does not
// say; a store that does not is sent nothing more.
//
// # Keys
//
// Outside of AWS,
// keys with an empty segment, "." or ".." are refused: a server may take them
// for other keys (MinIO strips a leading slash, versitygw cleans paths), and
// overwrite or delete the wrong object.
//
// # Conditions
//
// Put and completing an upload send If-None-Match: * and If-Match, Delete
// If-Match. S3 honours them; other stores may ignore one silently, as MinIO does
// that of Delete, so the engine asks the store at hand first
// (backend.Properties.Varies).
//
// # Content types
//
// An object without a content type is written as "binary/octet-stream", what
// S3 itself calls such objects, and that type reads as none.
package s3
