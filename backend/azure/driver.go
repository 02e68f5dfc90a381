package azure

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/objrepl/replication/backend"
)

const driverName = "azblob"

// Driver opens containers. It holds no state.
var Driver backend.Driver = driver{}

type driver struct{}

// Name implements backend.Driver.
func (driver) Name() string { return driverName }

// Schema implements backend.Driver.
func (driver) Schema() backend.Schema {
	return backend.Schema{
		{Name: "containerName", Required: true, Check: checkContainer, Help: "name of the container"},
		{Name: "accountName", Required: true, Check: checkAccount, Help: "name of the storage account"},
		{Name: "accountKey", Secret: true, Check: checkAccountKey, Help: "one of the account's two keys, in base64; without it and sasToken, the default identity"},
		{Name: "sasToken", Secret: true, Check: checkSAS, Help: "shared access signature, a query such as sv=..&sig=.."},
		{Name: "endpoint", Check: checkEndpoint, Help: "http or https URL of the blob service, by default https://ACCOUNT.blob.core.windows.net; of an emulator with the account as its path"},
		{Name: "encryptionScope", Help: "encryption scope of new objects; by default the container's"},
		{Name: "tier", Values: tiers, Help: "access tier of new objects; by default the account's"},
	}
}

// Open implements backend.Driver. It reaches no store.
func (driver) Open(_ context.Context, s backend.Settings) (backend.Backend, error) {
	store, err := open(s)
	if err != nil {
		return nil, &backend.Error{Op: "open", Backend: driverName, Err: err}
	}
	return store, nil
}

// tiers are those of block blobs
// (https://learn.microsoft.com/en-us/azure/storage/blobs/access-tiers-overview).
var tiers = []string{"Hot", "Cool", "Cold", "Archive"}

func checkTier(value string) error {
	if !slices.Contains(tiers, value) {
		return errors.New("allowed are " + strings.Join(tiers, ", "))
	}
	return nil
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
)

// checkContainer takes what Azure takes, and its reserved names $root and $web
// (https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata).
func checkContainer(value string) error {
	if value == "$root" || value == "$web" {
		return nil
	}
	if len(value) < 3 || len(value) > 63 || strings.Trim(value, lower+digits+"-") != "" {
		return errors.New("a container's name has 3 to 63 characters, lower-case letters, digits and '-'")
	}
	return nil
}

func checkAccount(value string) error {
	if len(value) < 3 || len(value) > 24 || strings.Trim(value, lower+digits) != "" {
		return errors.New("an account's name has 3 to 24 characters, lower-case letters and digits")
	}
	return nil
}

func checkAccountKey(value string) error {
	_, err := base64.StdEncoding.DecodeString(value)
	return err
}

func checkSAS(value string) error {
	query, err := url.ParseQuery(strings.TrimPrefix(value, "?"))
	if err == nil && query.Get("sig") == "" {
		err = errors.New("it has no signature")
	}
	return err
}

func checkEndpoint(value string) error {
	_, err := parseEndpoint(value)
	return err
}

// parseEndpoint reads the URL of a blob service. Its error does not repeat the
// value, which may hold a secret by mistake.
func parseEndpoint(value string) (*url.URL, error) {
	u, err := url.Parse(value)
	switch {
	case err != nil:
		return nil, errors.New("not a URL; write http://HOST or https://HOST, with a port if need be")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("not an http or https URL; write http:// or https:// in front")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it has a user, query or fragment; credentials have settings of their own")
	}
	u.Host = strings.ToLower(u.Host)
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}
