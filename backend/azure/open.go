package azure

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"golang.org/x/sync/semaphore"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
	"github.com/objrepl/replication/backend/internal/pool"
)

// tokenTimeout bounds a walk along the default chain of identities, whose last
// links ask addresses that nobody may answer.
const tokenTimeout = 30 * time.Second

// answerTimeout: a server-side copy answers when it is done.
const answerTimeout = 5 * time.Minute

func open(s backend.Settings) (*Store, error) {
	if s["accountKey"] != "" && s["sasToken"] != "" {
		return nil, errors.New(`settings "accountKey" and "sasToken" exclude each other`)
	}
	endpoint := &url.URL{Scheme: "https", Host: s["accountName"] + ".blob.core.windows.net"}
	if s["endpoint"] != "" {
		var err error
		if endpoint, err = parseEndpoint(s["endpoint"]); err != nil {
			return nil, fmt.Errorf(`setting "endpoint": %w`, err)
		}
	}
	store := &Store{
		pool:    pool.New(nil, answerTimeout),
		buffers: semaphore.NewWeighted(bufferLimit),
		scope:   optional(s["encryptionScope"], func(v string) blob.CPKScopeInfo { return blob.CPKScopeInfo{EncryptionScope: &v} }),
		tier:    optional(s["tier"], func(v string) blob.AccessTier { return blob.AccessTier(v) }),
	}
	store.properties = properties(location(endpoint, s["containerName"]))
	if err := store.connect(s, endpoint.JoinPath(s["containerName"])); err != nil {
		return nil, err
	}
	return store, nil
}

// connect makes the client with the credentials that the settings name.
func (s *Store) connect(settings backend.Settings, place *url.URL) (err error) {
	options := &container.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: s.pool,
		Retry:     policy.RetryOptions{MaxRetries: -1}, // the engine retries
		Telemetry: policy.TelemetryOptions{Disabled: true},

		PerCallPolicies: []policy.Policy{batchReader{}},
	}}
	switch {
	case settings["accountKey"] != "":
		key, err := container.NewSharedKeyCredential(settings["accountName"], settings["accountKey"])
		if err != nil {
			return errors.New(`setting "accountKey" is not base64`)
		}
		s.source = signedSource
		s.container, err = container.NewClientWithSharedKeyCredential(place.String(), key, options)
		return err
	case settings["sasToken"] != "":
		place.RawQuery = strings.TrimPrefix(settings["sasToken"], "?")
		s.source = plainSource
		s.container, err = container.NewClientWithNoCredential(place.String(), options)
		return err
	case place.Scheme != "https":
		return errors.New(`the default identity needs an https endpoint; else set "accountKey" or "sasToken"`)
	}
	chain, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{
		ClientOptions: policy.ClientOptions{Transport: s.pool},
	})
	if err != nil {
		return fmt.Errorf("the default identity: %s", answer.Text(err))
	}
	credential := identity{chain}
	s.source = credential.source
	s.container, err = container.NewClient(place.String(), credential, options)
	return err
}

// An identity gets tokens from the default chain, in bounded time, with errors
// that can be told from those of the store.
type identity struct{ chain azcore.TokenCredential }

// GetToken implements azcore.TokenCredential.
func (i identity) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	bounded, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := i.chain.GetToken(bounded, options)
	switch {
	case err == nil:
		return token, nil
	case ctx.Err() != nil:
		return token, ctx.Err()
	}
	return token, &credentialsError{answer.Text(err)}
}

// credentialsError is why there is no token. Nothing was sent then. It keeps
// the text alone, for a timeout in the chain is not that of the caller.
type credentialsError struct{ text string }

func (e *credentialsError) Error() string { return e.text }

// location is the one spelling of a container's place, the port always in it
// but that of https.
func location(endpoint *url.URL, name string) string {
	host := strings.TrimSuffix(endpoint.Hostname(), ".")
	port := endpoint.Port()
	if port == "" && endpoint.Scheme == "http" {
		port = "80"
	}
	if port != "" && !(port == "443" && endpoint.Scheme == "https") {
		host = net.JoinHostPort(host, port)
	}
	return "azblob://" + host + endpoint.Path + "/" + name
}

// optional returns nil for an empty setting.
func optional[T any](value string, of func(string) T) *T {
	if value == "" {
		return nil
	}
	v := of(value)
	return &v
}
