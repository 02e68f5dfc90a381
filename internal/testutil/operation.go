package testutil

import (
	"net/http"
	"net/url"
	"strings"
)

// Operation names the S3 operation of a path-style request as the S3 API
// reference does, such as "PutObject", "UploadPart" or "ListObjects" (either
// version). A request that fits none of those a replicator sends is "Other".
func Operation(r *http.Request) string {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	switch {
	case bucket == "":
		if r.Method == http.MethodGet {
			return "ListBuckets"
		}
	case key == "":
		return bucketOperation(r.Method, q)
	case q.Has("tagging"):
		return methodVerb(r.Method, "ObjectTagging")
	case q.Has("attributes") && r.Method == http.MethodGet:
		return "GetObjectAttributes"
	case hasAny(q, "acl", "legal-hold", "restore", "retention", "select", "torrent"):
	default:
		return objectOperation(r, q)
	}
	return "Other"
}

func objectOperation(r *http.Request, q url.Values) string {
	part := q.Has("uploadId")
	switch r.Method {
	case http.MethodGet:
		if part {
			return "ListParts"
		}
		return "GetObject"
	case http.MethodHead:
		return "HeadObject"
	case http.MethodPut:
		from := r.Header.Get("X-Amz-Copy-Source") != ""
		switch {
		case part && from:
			return "UploadPartCopy"
		case part:
			return "UploadPart"
		case from:
			return "CopyObject"
		}
		return "PutObject"
	case http.MethodDelete:
		if part {
			return "AbortMultipartUpload"
		}
		return "DeleteObject"
	case http.MethodPost:
		switch {
		case part:
			return "CompleteMultipartUpload"
		case q.Has("uploads"):
			return "CreateMultipartUpload"
		}
	}
	return "Other"
}

// listParameters are what a listing, and no request about a bucket's settings,
// has in its query. Clients add x-id and, in presigned requests, X-Amz-*.
var listParameters = map[string]bool{
	"list-type": true, "prefix": true, "delimiter": true, "max-keys": true, "encoding-type": true,
	"marker": true, "start-after": true, "continuation-token": true, "fetch-owner": true,
	"metadata": true, // MinIO's extension: metadata in the listing
	"x-id":     true,
}

func bucketOperation(method string, q url.Values) string {
	switch method {
	case http.MethodGet:
		switch {
		case q.Has("location"):
			return "GetBucketLocation"
		case q.Has("versions"):
			return "ListObjectVersions"
		case q.Has("uploads"):
			return "ListMultipartUploads"
		case q.Has("versioning"):
			return "GetBucketVersioning"
		}
		for name := range q {
			if !listParameters[name] && !strings.HasPrefix(strings.ToLower(name), "x-amz-") {
				return "Other"
			}
		}
		return "ListObjects"
	case http.MethodHead:
		return "HeadBucket"
	case http.MethodPut:
		if onlyID(q) {
			return "CreateBucket"
		}
	case http.MethodDelete:
		if onlyID(q) {
			return "DeleteBucket"
		}
	case http.MethodPost:
		if q.Has("delete") {
			return "DeleteObjects"
		}
	}
	return "Other"
}

func methodVerb(method, what string) string {
	switch method {
	case http.MethodGet:
		return "Get" + what
	case http.MethodPut:
		return "Put" + what
	case http.MethodDelete:
		return "Delete" + what
	}
	return "Other"
}

func onlyID(q url.Values) bool { return len(q) == 0 || len(q) == 1 && q.Has("x-id") }

func hasAny(q url.Values, names ...string) bool {
	for _, name := range names {
		if q.Has(name) {
			return true
		}
	}
	return false
}
