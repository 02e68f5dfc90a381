//go:build tools

// Package servers pins the real servers the tests run against. It is a module
// of its own so that their dependency trees, and their licences (MinIO is
// AGPL-3.0), stay out of the SDK: the tests build these programs and talk to
// them over the network, nothing links them.
//
// To add a server: import its main package here, run `go mod tidy` in this
// directory, and name it in the table of package testutil (binary.go).
package servers

import (
	_ "github.com/minio/minio"
	_ "github.com/versity/versitygw/cmd/versitygw"
)
