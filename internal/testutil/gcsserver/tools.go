//go:build tools

// Package gcsserver pins fake-gcs-server, the server that the tests of package
// gcs run against. It is a module of its own, beside servers, so that the
// Google libraries of the one do not move those that MinIO and versitygw are
// pinned with. Nothing links it: the tests build the program and talk to it
// over the network.
package gcsserver

import _ "github.com/fsouza/fake-gcs-server"
