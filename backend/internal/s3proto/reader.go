package s3proto

import (
	"encoding/base64"
	"hash"
	"hash/crc32"
	"net/http"
	"strings"

	"github.com/minio/crc64nvme"
)

// checksumOf picks the cheapest checksum that an answer carries of the whole
// object. One that ends in "-N" is made of the parts' checksums and says
// nothing about the bytes in a row.
func checksumOf(h http.Header) (sum hash.Hash, want []byte) {
	if strings.EqualFold(h.Get("X-Amz-Checksum-Type"), "COMPOSITE") {
		return nil, nil
	}
	for _, c := range []struct {
		header string
		make   func() hash.Hash
	}{
		{"X-Amz-Checksum-Crc32c", func() hash.Hash { return crc32.New(castagnoli) }},
		{"X-Amz-Checksum-Crc32", func() hash.Hash { return crc32.NewIEEE() }},
		{"X-Amz-Checksum-Crc64nvme", func() hash.Hash { return crc64nvme.New() }},
	} {
		if value := h.Get(c.header); value != "" && !strings.Contains(value, "-") {
			// What is no base64 is no checksum that any bytes come to.
			want, _ := base64.StdEncoding.DecodeString(value)
			return c.make(), want
		}
	}
	return nil, nil
}
