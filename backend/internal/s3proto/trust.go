package s3proto

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TrustFile returns a TLS configuration that trusts a PEM file of certificates
// beside the system's, or nil for the system's alone where no file is named.
func TrustFile(name string) (*tls.Config, error) {
	if name == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", name)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
