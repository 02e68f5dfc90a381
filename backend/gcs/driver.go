package gcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/objrepl/replication/backend"
)

const driverName = "gcs"

// Driver opens buckets. It holds no state.
var Driver backend.Driver = driver{}

type driver struct{}

// Name implements backend.Driver.
func (driver) Name() string { return driverName }

// Schema implements backend.Driver.
func (driver) Schema() backend.Schema {
	return backend.Schema{
		{Name: "bucket", Required: true, Check: checkBucket, Help: "name of the bucket"},
		{Name: "project", Help: "project that is billed for requests to a requester-pays bucket"},
		{Name: "endpoint", Check: checkEndpoint, Help: "http or https URL of a store other than Google's; without credentialsFile requests to it carry no credentials"},
		// A secret, since the key itself may stand here.
		{Name: "credentialsFile", Secret: true, Help: "path of a JSON key, or the JSON itself; by default the application default credentials"},
		{Name: "storageClass", Check: checkClass, Help: "storage class of new objects: STANDARD, NEARLINE, COLDLINE or ARCHIVE; by default the bucket's"},
		{Name: "kms_key_name", Check: checkKMSKey, Help: "Cloud KMS key that the store encrypts new objects with: projects/P/locations/L/keyRings/R/cryptoKeys/K"},
	}
}

// Open implements backend.Driver. It reaches no store, but the application
// default credentials may ask the metadata server of the machine.
func (driver) Open(ctx context.Context, s backend.Settings) (backend.Backend, error) {
	b, err := open(ctx, s)
	if err != nil {
		e := &backend.Error{Op: "open", Backend: driverName, Err: err}
		if errors.Is(err, fs.ErrPermission) {
			e.Hint = hintCredentials
		}
		return nil, e
	}
	return b, nil
}

// checkBucket keeps out what would become another path of the API. The rest of
// the rules is the store's.
func checkBucket(value string) error {
	if strings.Trim(value, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" || strings.Trim(value, ".") == "" {
		return errors.New("not a bucket name: lower-case letters, digits, '-', '_' and '.'")
	}
	return nil
}

func checkEndpoint(value string) error {
	_, err := parseEndpoint(value)
	return err
}

func parseEndpoint(value string) (*url.URL, error) {
	if !strings.Contains(value, "://") {
		value = "https://" + value
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("not an http or https URL; write http:// or https:// in front")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("more than a scheme, a host and a port")
	}
	return &url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host)}, nil
}

func checkKMSKey(value string) error {
	parts := strings.Split(value, "/")
	if len(parts) != 8 {
		return errors.New("not of the form projects/P/locations/L/keyRings/R/cryptoKeys/K")
	}
	for i, name := range []string{"projects", "locations", "keyRings", "cryptoKeys"} {
		if parts[2*i] != name || parts[2*i+1] == "" {
			return fmt.Errorf("has no %s/NAME in its place", name)
		}
	}
	return nil
}

const standardClass = "STANDARD"

// checkClass takes the classes that new objects may have
// (https://cloud.google.com/storage/docs/storage-classes).
func checkClass(value string) error {
	switch value {
	case standardClass, "NEARLINE", "COLDLINE", "ARCHIVE":
		return nil
	}
	return errors.New("allowed are STANDARD, NEARLINE, COLDLINE, ARCHIVE")
}

// location is what Properties say of a bucket. Names of buckets are unique
// among all that Google holds, so that the address of its API adds nothing.
func location(endpoint *url.URL, bucket string) string {
	if endpoint == nil || endpoint.Hostname() == "googleapis.com" || strings.HasSuffix(endpoint.Hostname(), ".googleapis.com") {
		return "gs://" + bucket
	}
	return "gs://" + endpoint.Host + "/" + bucket
}
