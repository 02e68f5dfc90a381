package s3proto

import (
	"io"
	"io/fs"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestEncryptionSettingsBecomeHeaders(t *testing.T) {
	for _, c := range []struct {
		settings backend.Settings
		want     http.Header
	}{
		{backend.Settings{}, http.Header{}},
		{backend.Settings{"storageClass": "STANDARD_IA"}, http.Header{classHeader: {"STANDARD_IA"}}},
		{backend.Settings{"sse": "AES256"}, http.Header{encryptionHeader: {"AES256"}}},
		{backend.Settings{"sse": "aws:kms"}, http.Header{encryptionHeader: {"aws:kms"}}},
		{backend.Settings{"kms_key_id": "k"}, http.Header{encryptionHeader: {"aws:kms"}, encryptionKeyHeader: {"k"}}},
		{backend.Settings{"sse": "aws:kms", "kms_key_id": "k"}, http.Header{encryptionHeader: {"aws:kms"}, encryptionKeyHeader: {"k"}}},
	} {
		got, err := StorageHeader(c.settings)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "%v", c.settings)
	}
	_, err := StorageHeader(backend.Settings{"sse": "AES256", "kms_key_id": "k"})
	require.ErrorContains(t, err, "kms_key_id")
	schema := backend.Schema(EncryptionSettings())
	require.ErrorContains(t, schema.Validate(map[string]string{"sse": "rot13"}), "AES256, aws:kms")
	for _, wrong := range []string{"a b", "a\nX-Other: 1", "ключ"} {
		require.ErrorContains(t, schema.Validate(map[string]string{"kms_key_id": wrong}), "kms_key_id")
	}
	for _, right := range []string{"alias/data", "1234abcd-12ab-34cd-56ef-1234567890ab", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd"} {
		require.NoError(t, schema.Validate(map[string]string{"kms_key_id": right}))
	}
}

// What makes an object says how it is to be kept; parts, their end and what is
// read do not, since S3 refuses it there.
func TestEncryptionIsAskedForWhereAnObjectIsMade(t *testing.T) {
	asked := map[string]string{}
	s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
		name := r.Method + " " + r.URL.RawQuery
		if r.Header.Get("X-Amz-Copy-Source") != "" {
			name = "copy"
		}
		asked[name] = r.Header.Get(encryptionHeader) + " " + r.Header.Get(encryptionKeyHeader)
		w.Header().Set("ETag", `"x"`)
		w.Header().Set(encryptionHeader, "aws:kms")
		switch name {
		case "copy":
			_, _ = io.WriteString(w, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>")
		case "POST uploads=":
			_, _ = io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")
		case "POST uploadId=1":
			_, _ = io.WriteString(w, "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
		}
	})
	s.config.Bucket = "bucket"
	s.config.Storage = http.Header{encryptionHeader: {"aws:kms"}, encryptionKeyHeader: {"k"}}
	ctx := t.Context()
	_, err := s.Put(ctx, "k", backend.Bytes([]byte("x")), backend.PutOptions{})
	require.NoError(t, err)
	_, err = s.Copy(ctx, "k", "l", backend.CopyOptions{})
	require.NoError(t, err)
	u, err := s.UploadParts(ctx, "k", backend.PartsOptions{PartSize: minPart})
	require.NoError(t, err)
	part, err := u.Put(ctx, 1, backend.Bytes([]byte("x")))
	require.NoError(t, err)
	_, err = u.Complete(ctx, []backend.Part{part}, backend.Condition{})
	require.NoError(t, err)
	_, _ = s.Stat(ctx, "k")
	const key = "aws:kms k"
	require.Equal(t, map[string]string{
		"PUT ": key, "copy": key, "POST uploads=": key, "PUT partNumber=1&uploadId=1": " ", "POST uploadId=1": " ", "HEAD ": " ",
	}, asked)
}

// A server that says nothing is asked once, by a HEAD of the first object.
func TestAServerThatDoesNotSayWhetherItEncryptsIsAskedOnce(t *testing.T) {
	for keeps, class := range map[string]error{"AES256": nil, "": fs.ErrPermission, "aws:kms": fs.ErrPermission} {
		var methods []string
		s := storeOf(t, func(w http.ResponseWriter, r *http.Request) {
			methods = append(methods, r.Method)
			w.Header().Set("ETag", `"x"`)
			if r.Method == http.MethodHead {
				w.Header().Set("Content-Length", "1")
				w.Header().Set(encryptionHeader, keeps)
			}
		})
		s.config.Storage = http.Header{encryptionHeader: {"AES256"}}
		want := []string{"PUT", "HEAD"}
		for range 3 {
			_, err := s.Put(t.Context(), "k", backend.Bytes([]byte("x")), backend.PutOptions{})
			if class == nil {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, class)
			require.ErrorContains(t, err, `put s3 "k": `)
			require.ErrorContains(t, err, "; "+hintInTheClear)
		}
		if class == nil {
			want = append(want, "PUT", "PUT")
		}
		require.Equal(t, want, methods, "keeps %q", keeps)
	}
}

func TestKeysThatCannotBeUsedAreNamed(t *testing.T) {
	for code, hint := range map[string]string{
		"KMS.NotFoundException": hintKMS, "KMS.DisabledException": hintKMS, "KMS.InvalidStateException": hintKMS,
		"kms:KeyNotFound": hintKMS, "kms:NotAuthorized": hintKMS, "KMSKeyNotFoundException": hintKMS,
	} {
		// MinIO's status is 404, which is that of no object.
		err := (&fault{op: "upload", backend: "s3", key: "k", status: http.StatusNotFound, code: code}).error(t.Context())
		require.ErrorIs(t, err, fs.ErrPermission, code)
		require.NotErrorIs(t, err, fs.ErrNotExist, code)
		require.Equal(t, hint, err.Hint, code)
	}
}
