package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go"
	smithyauth "github.com/aws/smithy-go/auth"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// A signer signs requests with Signature Version 4.
type signer struct {
	provider        aws.CredentialsProvider
	v4              *v4.Signer
	region, service string
}

// newSigner returns a signer for what the endpoint rules came to.
func newSigner(properties smithy.Properties, region string) (*signer, error) {
	s := &signer{
		v4:     v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), // the path is escaped already
		region: region, service: "s3",
	}
	schemes, _ := smithyauth.GetAuthOptions(&properties)
	for _, scheme := range schemes {
		// The rules give the scheme's name without its namespace.
		if name := scheme.SchemeID; name[strings.LastIndexByte(name, '#')+1:] != "sigv4" {
			return nil, fmt.Errorf("it wants authentication by %s: %w", name, errors.ErrUnsupported)
		}
		if name, ok := smithyhttp.GetSigV4SigningName(&scheme.SignerProperties); ok && name != "" {
			s.service = name
		}
		if name, ok := smithyhttp.GetSigV4SigningRegion(&scheme.SignerProperties); ok && name != "" {
			s.region = name
		}
	}
	return s, nil
}

func (s *signer) sign(ctx context.Context, req *http.Request) (*http.Request, error) {
	creds, err := s.provider.Retrieve(ctx)
	if err != nil {
		return nil, credentialsFailed(err)
	}
	hash := req.Header.Get("X-Amz-Content-Sha256")
	if err := s.v4.SignHTTP(ctx, creds, req, hash, s.service, s.region, time.Now()); err != nil {
		return nil, textOnly(err)
	}
	return req, nil
}
