package s3proto

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLocationIsOneSpellingOfAPlace(t *testing.T) {
	for endpoint, want := range map[string]string{
		"":                                   "s3://s3.amazonaws.com/b",
		"https://s3.amazonaws.com":           "s3://s3.amazonaws.com/b",
		"https://s3.eu-west-1.amazonaws.com": "s3://s3.amazonaws.com/b",
		"s3-us-west-2.amazonaws.com":         "s3://s3.amazonaws.com/b",
		"https://S3.dualstack.us-gov-west-1.amazonaws.com": "s3://s3.amazonaws.com/b",
		"https://s3-fips.us-east-1.amazonaws.com":          "s3://s3.amazonaws.com/b",
		"https://s3.cn-north-1.amazonaws.com.cn":           "s3://s3.amazonaws.com.cn/b",
		"http://127.0.0.1:9000":                            "s3://127.0.0.1:9000/b",
		"http://127.0.0.1:9000/":                           "s3://127.0.0.1:9000/b",
		"http://MinIO.example.":                            "s3://minio.example:80/b",
		"https://minio.example":                            "s3://minio.example:443/b",
		"minio.example:9000":                               "s3://minio.example:9000/b",
		"http://[::1]:9000":                                "s3://[::1]:9000/b",
		"https://host/storage/s3/":                         "s3://host:443/storage/s3/b",
	} {
		if endpoint == "" {
			require.Equal(t, want, Location(nil, "b"))
			continue
		}
		u, err := ParseEndpoint(endpoint)
		require.NoError(t, err, endpoint)
		require.Equal(t, want, Location(u, "b"), endpoint)
	}
}

func TestParseEndpointRefusesWhatIsNone(t *testing.T) {
	for _, value := range []string{"", "ftp://host", "http://", "http://user:hidden@host", "http://host?x", "http://host#x", "http://a b", "https://%zz"} {
		_, err := ParseEndpoint(value)
		require.Error(t, err, value)
		require.NotContains(t, err.Error(), "hidden")
	}
}

func TestAWSRegionIsReadFromTheHost(t *testing.T) {
	for endpoint, want := range map[string]string{
		"https://s3.eu-central-1.amazonaws.com":        "eu-central-1",
		"https://s3.dualstack.us-east-2.amazonaws.com": "us-east-2",
		"https://s3.amazonaws.com":                     "",
		"https://s3.eu-central-1.example.com":          "",
	} {
		u, err := ParseEndpoint(endpoint)
		require.NoError(t, err)
		require.Equal(t, want, AWSRegion(u), endpoint)
	}
}

func TestBucketStaysOneSegment(t *testing.T) {
	for _, name := range []string{"", "ab", "..", "...", "a/b", "a b", "a?bc", "bücket", "a%2fb"} {
		require.Error(t, CheckBucket(name), name)
	}
	for _, name := range []string{"abc", "my.bucket-1", "Old_Bucket"} {
		require.NoError(t, CheckBucket(name), name)
	}
}
