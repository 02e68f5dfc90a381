package s3proto

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// awsHost matches the regional, dual-stack, FIPS and accelerated names of one
// and the same AWS service; the first group is the region, the second the
// partition's suffix.
var awsHost = regexp.MustCompile(`^s3(?:-accelerate|-fips|-external-1)?(?:[.-]dualstack)?(?:[.-]([a-z]{2}(?:-[a-z]+)+-\d+))?\.(amazonaws\.com(?:\.cn)?)$`)

// ParseEndpoint reads an endpoint: an http or https URL of a server, or a bare
// host with or without port, which means https. The error does not repeat the
// value, which may hold a password by mistake.
func ParseEndpoint(value string) (*url.URL, error) {
	if !strings.Contains(value, "://") {
		value = "https://" + value
	}
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return nil, errors.New("not a URL; write http://HOST or https://HOST, with a port if need be")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("not an http or https URL; write http:// or https:// in front")
	case u.Hostname() == "":
		return nil, errors.New("it names no host")
	case u.User != nil:
		return nil, errors.New("credentials do not belong into it; there are settings of their own")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it has a query or fragment")
	}
	u.Host = strings.ToLower(u.Host)
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// Location is the one spelling of a bucket's place: "s3://host:port/bucket",
// the port always in it, or "s3://s3.amazonaws.com/bucket" for AWS whatever
// the region, since a bucket's name is unique there. A nil endpoint is AWS.
func Location(endpoint *url.URL, bucket string) string {
	if endpoint == nil {
		return "s3://s3.amazonaws.com/" + bucket
	}
	host := strings.TrimSuffix(strings.ToLower(endpoint.Hostname()), ".")
	if m := awsHost.FindStringSubmatch(host); m != nil {
		return fmt.Sprintf("s3://s3.%s/%s", m[2], bucket)
	}
	port := endpoint.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[endpoint.Scheme]
	}
	return "s3://" + net.JoinHostPort(host, port) + strings.TrimRight(endpoint.Path, "/") + "/" + bucket
}

// IsAWS says whether an endpoint is one of AWS itself.
func IsAWS(endpoint *url.URL) bool {
	return awsHost.MatchString(strings.ToLower(endpoint.Hostname()))
}

// AWSRegion returns the region that an endpoint of AWS itself names, or "".
func AWSRegion(endpoint *url.URL) string {
	if m := awsHost.FindStringSubmatch(strings.ToLower(endpoint.Hostname())); m != nil {
		return m[1]
	}
	return ""
}

// CheckBucket reports why a value cannot be a bucket's name. It is generous,
// as old buckets and other stores are: what matters is that the name stays one
// segment of a path.
func CheckBucket(value string) error {
	if len(value) < 3 || len(value) > 255 || strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") != "" {
		return errors.New("a bucket's name has at least 3 characters, letters, digits, '.', '-' and '_'")
	}
	if strings.Trim(value, ".") == "" {
		return errors.New("it is made of dots alone")
	}
	return nil
}
