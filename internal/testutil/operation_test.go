package testutil

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOperationNamesRequestsAsTheS3ReferenceDoes(t *testing.T) {
	for _, c := range []struct{ method, target, copyFrom, want string }{
		{"GET", "/", "", "ListBuckets"},
		{"GET", "/b", "", "ListObjects"},
		{"GET", "/b/?list-type=2&prefix=a%2F&start-after=b", "", "ListObjects"},
		{"GET", "/b/?list-type=2&X-Amz-Signature=0", "", "ListObjects"},
		{"GET", "/b/?versions=&prefix=a", "", "ListObjectVersions"},
		{"GET", "/b/?uploads", "", "ListMultipartUploads"},
		{"GET", "/b/?location=", "", "GetBucketLocation"},
		{"GET", "/b/?versioning", "", "GetBucketVersioning"},
		{"GET", "/b/?policy", "", "Other"},
		{"GET", "/b/?events=s3:ObjectCreated:*&prefix=", "", "Other"},
		{"HEAD", "/b/", "", "HeadBucket"},
		{"PUT", "/b/", "", "CreateBucket"},
		{"PUT", "/b/?versioning", "", "Other"},
		{"DELETE", "/b", "", "DeleteBucket"},
		{"DELETE", "/b?policy", "", "Other"},
		{"POST", "/b/?delete", "", "DeleteObjects"},
		{"GET", "/b/k?x-id=GetObject", "", "GetObject"},
		{"GET", "/b/dir/k?versionId=1", "", "GetObject"},
		{"GET", "/b/k?tagging", "", "GetObjectTagging"},
		{"PUT", "/b/k?tagging", "", "PutObjectTagging"},
		{"GET", "/b/k?attributes", "", "GetObjectAttributes"},
		{"GET", "/b/k?acl", "", "Other"},
		{"GET", "/b/k?uploadId=u", "", "ListParts"},
		{"HEAD", "/b/k", "", "HeadObject"},
		{"PUT", "/b/k?x-id=PutObject", "", "PutObject"},
		{"PUT", "/b/k", "/b/other", "CopyObject"},
		{"PUT", "/b/k?partNumber=1&uploadId=u", "", "UploadPart"},
		{"PUT", "/b/k?partNumber=1&uploadId=u", "/b/other", "UploadPartCopy"},
		{"POST", "/b/k?uploads", "", "CreateMultipartUpload"},
		{"POST", "/b/k?uploadId=u", "", "CompleteMultipartUpload"},
		{"DELETE", "/b/k?uploadId=u", "", "AbortMultipartUpload"},
		{"DELETE", "/b/k?versionId=1", "", "DeleteObject"},
		{"PATCH", "/b/k", "", "Other"},
		{"POST", "/", "", "Other"},
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		if c.copyFrom != "" {
			r.Header.Set("X-Amz-Copy-Source", c.copyFrom)
		}
		assert.Equal(t, c.want, Operation(r), "%s %s", c.method, c.target)
	}
}
