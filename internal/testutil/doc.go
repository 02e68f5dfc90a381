// Package testutil runs the tests against real object stores: it builds pinned
// versions of MinIO and versitygw from source, installs Azurite with npm, starts
// them on loopback ports with fresh data, and puts a counting, fault-injecting
// proxy in front of them.
//
// A test asks for a server and gets one that is ready:
//
//	srv := testutil.MinIO(t)            // its own, ended with the test
//	bucket := srv.NewBucket(t)
//	proxy := testutil.CountingProxy(t, srv.Endpoint)
//	// ... a client of proxy.URL with srv.AccessKey and srv.SecretKey ...
//	assert.Equal(t, 1, proxy.Counts()["PutObject"])
//
// A package with many such tests shares one server among them, each test in a
// bucket of its own:
//
//	func TestMain(m *testing.M) { testutil.Main(m, testutil.ServerMinIO) }
//
//	func TestX(t *testing.T) {
//		srv := testutil.SharedMinIO(t)
//
// The first use on a machine builds the server, which takes minutes; after that
// the binary is in a cache (see [Build]). `go test` allows a package ten minutes
// in all, so CI runs internal/testutil/cmd/buildservers first. Where a server
// cannot be built the test is skipped, and fails where the environment says
// CI=true.
package testutil
