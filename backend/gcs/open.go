package gcs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/httptransport"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"

	"github.com/objrepl/replication/backend"
)

const (
	defaultEndpoint = "https://storage.googleapis.com"
	scope           = "https://www.googleapis.com/auth/devstorage.read_write"
)

func open(ctx context.Context, s backend.Settings) (*Store, error) {
	if s["bucket"] == "" {
		return nil, errors.New(`missing setting "bucket"`)
	}
	var endpoint *url.URL
	if s["endpoint"] != "" {
		var err error
		if endpoint, err = parseEndpoint(s["endpoint"]); err != nil {
			return nil, fmt.Errorf(`setting "endpoint": %w`, err)
		}
	}
	creds, err := identify(s["credentialsFile"], endpoint != nil)
	if err != nil {
		return nil, err
	}
	base := newTransport(s["kms_key_name"])
	client := &http.Client{Transport: base}
	if creds != nil {
		if err := httptransport.AddAuthorizationMiddleware(client, creds); err != nil {
			return nil, err
		}
	}
	address := defaultEndpoint
	if endpoint != nil {
		address = endpoint.String()
	}
	// The address is always given: STORAGE_EMULATOR_HOST, which is no setting,
	// would else lead to another store under the same Location.
	sdk, err := storage.NewClient(ctx, option.WithHTTPClient(client), option.WithoutAuthentication(),
		option.WithEndpoint(address+"/storage/v1/"), storage.WithJSONReads(), storage.WithDisabledClientMetrics())
	if err != nil {
		return nil, err
	}
	// Retries are the engine's. Not RetryNever, under which uploads of several
	// chunks retry; and before the bucket is made, which takes them over.
	sdk.SetRetry(storage.WithPolicy(storage.RetryAlways), storage.WithErrorFunc(func(error) bool { return false }))
	bucket := sdk.Bucket(s["bucket"])
	if project := s["project"]; project != "" {
		bucket = bucket.UserProject(project)
	}
	return newStore(sdk, bucket, base, s["kms_key_name"], s["storageClass"], location(endpoint, s["bucket"]), endpoint != nil), nil
}

// identify returns the credentials that requests carry, nil for none. Errors
// never quote the setting, which may be a key.
func identify(setting string, custom bool) (*auth.Credentials, error) {
	options := &credentials.DetectOptions{Scopes: []string{scope}}
	if setting == "" {
		if custom {
			return nil, nil // an emulator
		}
		creds, err := credentials.DetectDefault(options)
		if err != nil {
			return nil, fmt.Errorf(`%w: no application default credentials, and no setting "credentialsFile": %w`, fs.ErrPermission, err)
		}
		if creds.JSON() == nil { // of no file
			creds.TokenProvider = &machineToken{TokenProvider: creds.TokenProvider}
		}
		return creds, nil
	}
	data := []byte(setting)
	if !strings.HasPrefix(strings.TrimSpace(setting), "{") {
		var err error
		if data, err = os.ReadFile(setting); err != nil {
			var path *os.PathError
			if errors.As(err, &path) {
				err = path.Err
			}
			return nil, fmt.Errorf(`setting "credentialsFile": cannot be read: %w`, err)
		}
	}
	var key struct {
		Type credentials.CredType `json:"type"`
	}
	if json.Unmarshal(data, &key) != nil || key.Type == "" {
		return nil, errors.New(`setting "credentialsFile": not a JSON key with a type`)
	}
	creds, err := credentials.NewCredentialsFromJSON(key.Type, data, options)
	if err != nil {
		return nil, fmt.Errorf(`setting "credentialsFile": a key of type %q that cannot be used`, key.Type)
	}
	return creds, nil
}
