package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/s3proto"
)

// On a machine that is no cloud instance, the last link of the chain of
// credentials asks an address that nobody answers. The SDK lets a walk go on
// that nobody waits for any more, so each of its requests is bounded as well.
const (
	chainTimeout   = 10 * time.Second
	requestTimeout = 3 * time.Second
)

const hintCredentials = "set accessKey and secretKey, or profile"

// An identity is who asks for what region, and which certificates to trust.
type identity struct {
	provider aws.CredentialsProvider
	region   string
	tls      *tls.Config // nil for the system's
}

// identify reads configuration files where the settings leave something open,
// but asks no service: the chain of credentials does so at the first request.
func identify(ctx context.Context, s backend.Settings, region string) (id identity, err error) {
	var static aws.CredentialsProvider
	if s["accessKey"] != "" {
		static = credentials.NewStaticCredentialsProvider(s["accessKey"], s["secretKey"], s["sessionToken"])
		if region != "" {
			// Whatever is wrong with the machine's configuration is no matter.
			id = identity{provider: static, region: region}
			if id.tls, err = s3proto.TrustFile(os.Getenv("AWS_CA_BUNDLE")); err != nil {
				return id, fmt.Errorf("environment variable AWS_CA_BUNDLE: %w", err)
			}
			return id, nil
		}
	}
	// It keeps no connection: credentials are asked for once an hour.
	client := awshttp.NewBuildableClient().WithTimeout(requestTimeout).WithTransportOptions(func(t *http.Transport) {
		t.DisableKeepAlives = true
	})
	options := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithHTTPClient(client),
		config.WithLogger(logging.Nop{}), // what matters comes as an error
	}
	if s["profile"] != "" {
		options = append(options, config.WithSharedConfigProfile(s["profile"]))
	}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	switch {
	case err != nil && ctx.Err() != nil:
		return id, ctx.Err()
	case err != nil:
		return id, fmt.Errorf("AWS configuration: %w", textOnly(err))
	case cfg.Region == "":
		return id, errors.New(`missing setting "region": neither the settings nor the AWS profile or environment name one`)
	}
	id = identity{provider: static, region: cfg.Region}
	if static == nil {
		id.provider = bounded(cfg.Credentials)
	}
	if client, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		id.tls = client.GetTransport().TLSClientConfig // with the bundle that is configured, if any
	}
	return id, nil
}

// bounded returns a provider that answers within chainTimeout. Concurrent calls
// share one walk.
func bounded(chain aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		ctx, cancel := context.WithTimeout(ctx, chainTimeout)
		defer cancel()
		return chain.Retrieve(ctx)
	}), func(o *aws.CredentialsCacheOptions) {
		// Ahead of their end, so that no request carries expired ones.
		o.ExpiryWindow = 5 * time.Minute
		o.ExpiryWindowJitterFrac = 0.5
	})
}

// credentialsFailed is definite: nothing was sent. It keeps the text alone, for
// a timeout in the chain is not that of the caller's context.
func credentialsFailed(err error) error {
	return fmt.Errorf("%w: no credentials: %w", fs.ErrPermission, textOnly(err))
}

// textOnly drops everything of an SDK error but its text, so that neither its
// class nor the requests within it travel on.
func textOnly(err error) error { return errors.New(err.Error()) }
