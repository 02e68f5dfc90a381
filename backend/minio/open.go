package minio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/minio/minio-go/v7/pkg/signer"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/s3proto"
)

func open(s backend.Settings) (*s3proto.Store, error) {
	var faults []error
	for _, name := range []string{"bucket", "accessKey", "secretKey"} {
		if s[name] == "" {
			faults = append(faults, fmt.Errorf("missing setting %q", name))
		}
	}
	endpoint, err := s3proto.ParseEndpoint(s["endpoint"])
	if err != nil {
		faults = append(faults, fmt.Errorf(`setting "endpoint": %w`, err))
	}
	config, err := s3proto.TrustFile(s["caFile"])
	if err != nil {
		faults = append(faults, fmt.Errorf(`setting "caFile": %w`, err))
	}
	storage, err := s3proto.StorageHeader(s)
	if err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	base := *endpoint
	base.Path += "/" + s["bucket"]
	region := cmp.Or(s["region"], s3proto.AWSRegion(endpoint), "us-east-1")
	accessKey, secretKey := s["accessKey"], s["secretKey"]
	return s3proto.NewStore(s3proto.Config{
		Driver:   driverName,
		Base:     &base,
		Bucket:   s["bucket"],
		Location: s3proto.Location(endpoint, s["bucket"]),
		Sign: func(_ context.Context, req *http.Request) (*http.Request, error) {
			return signer.SignV4(*req, accessKey, secretKey, "", region), nil
		},
		Storage:   storage,
		ExactKeys: s3proto.IsAWS(endpoint),
		TLS:       config,
	}), nil
}
