package minio

import (
	"context"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/s3proto"
)

const driverName = "minio"

// Driver opens buckets. It holds no state.
var Driver backend.Driver = driver{}

type driver struct{}

// Name implements backend.Driver.
func (driver) Name() string { return driverName }

// Schema implements backend.Driver.
func (driver) Schema() backend.Schema {
	return append(backend.Schema{
		{Name: "bucket", Required: true, Check: s3proto.CheckBucket, Help: "name of the bucket"},
		{Name: "endpoint", Required: true, Check: checkEndpoint, Help: "http or https URL of the server; a bare host:port means https"},
		{Name: "accessKey", Required: true, Help: "access key"},
		{Name: "secretKey", Required: true, Secret: true, Help: "secret key that belongs to accessKey"},
		{Name: "region", Help: "region the server is set to; by default the one that an AWS endpoint names, else us-east-1"},
		{Name: "storageClass", Help: "storage class of new objects; by default the server's"},
		{Name: "caFile", Help: "PEM file of certificates to trust beside the system's"},
	}, s3proto.EncryptionSettings()...)
}

// Open implements backend.Driver. It reaches no store.
func (driver) Open(_ context.Context, s backend.Settings) (backend.Backend, error) {
	b, err := open(s)
	if err != nil {
		return nil, &backend.Error{Op: "open", Backend: driverName, Err: err}
	}
	return b, nil
}

func checkEndpoint(value string) error {
	_, err := s3proto.ParseEndpoint(value)
	return err
}
