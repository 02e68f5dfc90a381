package s3proto

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/objrepl/replication/backend"
)

const (
	sseS3  = "AES256"
	sseKMS = "aws:kms"

	encryptionHeader    = "X-Amz-Server-Side-Encryption"
	encryptionKeyHeader = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
)

// EncryptionSettings are the settings by which the store is asked to encrypt
// what it keeps.
func EncryptionSettings() []backend.Setting {
	return []backend.Setting{
		{Name: "sse", Values: []string{sseS3, sseKMS}, Help: "encryption of new objects by the store: AES256 with keys of its own (SSE-S3), aws:kms with one in a KMS (SSE-KMS); by default the bucket's"},
		{Name: "kms_key_id", Check: checkKMSKey, Help: "KMS key that the store encrypts new objects with, as its id, ARN or name; means sse=aws:kms"},
	}
}

// StorageHeader returns the headers that say how new objects are to be kept: the
// encryption, and the storage class of setting storageClass. They belong to whatever makes an object: Put, Copy and the beginning of an upload;
// its parts and its end follow that
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html).
func StorageHeader(s backend.Settings) (http.Header, error) {
	h := http.Header{}
	if class := s["storageClass"]; class != "" {
		h[classHeader] = []string{class}
	}
	sse, key := s["sse"], s["kms_key_id"]
	switch {
	case sse == sseS3 && key != "":
		return nil, errors.New(`setting "sse" is AES256, which takes no "kms_key_id"; leave one of them out`)
	case key != "":
		h[encryptionHeader], h[encryptionKeyHeader] = []string{sseKMS}, []string{key}
	case sse != "":
		h[encryptionHeader] = []string{sse}
	}
	return h, nil
}

// checkKMSKey refuses what is no value of a header. What names a key is the
// store's to say.
func checkKMSKey(value string) error {
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("a key's id has no spaces and no characters outside of ASCII")
	}
	return nil
}

// What a Store knows of a server that is asked to encrypt.
const (
	unasked  = iota
	encrypts // it said so
	inTheClear
)

// checkAtRest looks whether the server has encrypted what it was given first:
// some ignore the headers above without a word (versitygw), and nothing more
// is sent to such a one. Most say it in their answer; what MinIO copies is asked
// for. The caller returns the object beside the error.
func (s *Store) checkAtRest(ctx context.Context, op, key string, answer http.Header) error {
	want := s.config.Storage.Get(encryptionHeader)
	if want == "" || s.atRest.Load() == encrypts {
		return nil
	}
	if answer.Get(encryptionHeader) == "" {
		res, f := s.send(ctx, &request{op: op, method: http.MethodHead, key: key})
		if f != nil {
			// Of the HEAD, whatever it says, and not of what was written.
			return s.refuse(op, key, fmt.Errorf("%w: the object was written, but the store does not say whether encrypted: %v", backend.ErrUnavailable, s.settle(ctx, f)))
		}
		s.discard(res)
		answer = res.Header
	}
	if answer.Get(encryptionHeader) == want {
		s.atRest.Store(encrypts)
		return nil
	}
	s.atRest.Store(inTheClear)
	return s.refuse(op, key, fmt.Errorf("%w, and has this object in the clear", backend.ErrNotEncrypted))
}
