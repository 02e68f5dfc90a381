package s3

import (
	"context"
	"fmt"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/s3proto"
)

func open(ctx context.Context, s backend.Settings) (*s3proto.Store, error) {
	if err := checkTogether(s); err != nil {
		return nil, err
	}
	var endpoint *url.URL
	region := s["region"]
	if s["endpoint"] != "" {
		var err error
		if endpoint, err = s3proto.ParseEndpoint(s["endpoint"]); err != nil {
			return nil, fmt.Errorf(`setting "endpoint": %w`, err)
		}
		if region == "" {
			region = s3proto.AWSRegion(endpoint)
		}
		if region == "" {
			region = "us-east-1"
		}
	}
	id, err := identify(ctx, s, region)
	if err != nil {
		return nil, err
	}
	storage, err := s3proto.StorageHeader(s)
	if err != nil {
		return nil, err
	}
	base, signer, err := resolve(ctx, s, endpoint, id.region)
	if err != nil {
		return nil, err
	}
	signer.provider = id.provider
	return s3proto.NewStore(s3proto.Config{
		Driver:    driverName,
		Base:      base,
		Bucket:    s["bucket"],
		Location:  s3proto.Location(endpoint, s["bucket"]),
		Sign:      signer.sign,
		SignHint:  hintCredentials,
		Storage:   storage,
		ExactKeys: endpoint == nil || s3proto.IsAWS(endpoint),
		TLS:       id.tls,
	}), nil
}

// resolve evaluates the SDK's endpoint rules, once: they depend on nothing that
// changes from request to request.
func resolve(ctx context.Context, s backend.Settings, endpoint *url.URL, region string) (*url.URL, *signer, error) {
	params := s3.EndpointParameters{
		Bucket:         aws.String(s["bucket"]),
		Region:         aws.String(region),
		ForcePathStyle: aws.Bool(pathStyle(s)),
	}
	if endpoint != nil {
		params.Endpoint = aws.String(endpoint.String())
	}
	e, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, params.WithDefaults())
	if err != nil {
		return nil, nil, fmt.Errorf("endpoint of bucket %q in region %q: %w", s["bucket"], region, textOnly(err))
	}
	signer, err := newSigner(e.Properties, region)
	if err != nil {
		return nil, nil, fmt.Errorf("bucket %q: %w", s["bucket"], err)
	}
	return &e.URI, signer, nil
}
