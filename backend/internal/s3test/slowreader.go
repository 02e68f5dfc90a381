package s3test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/backend/internal/drivertest"
)

// slowReader shows only where the server cannot get rid of the object into the buffers
// on the way, and takes 30 seconds, and so is left out of short runs.
var slowReader = Quirk{
	Check:  "open-overwritten",
	Source: "MinIO, cmd/erasure-object.go, GetObjectNInfo: a reader holds the object's lock, so that a Put waits for it, until internal/http/server.go, DefaultIdleTimeout, cuts the reader off",
}

// readSlowly runs the check of slowReader with an object that no buffers hold.
func readSlowly(t *testing.T, driver backend.Driver, settings backend.Settings) {
	size, err := beyondBuffers()
	if err != nil {
		t.Skipf("NOT TESTED: %s, since nothing says how large the buffers of TCP are here: %v", slowReader.Check, err)
	}
	backendtest.Test(t, drivertest.Opener(driver, settings), backendtest.Options{
		Only: []string{slowReader.Check}, LargeSize: size,
		Expect: []backendtest.Deviation{{Check: slowReader.Check, Source: slowReader.Source}},
	})
}

// beyondBuffers is a size that the buffers of a connection cannot hold: those of
// either end, which Linux lets grow to the one limit or be set to twice the other
// (tcp(7), socket(7)), and some of the programs' own.
func beyondBuffers() (int64, error) {
	size := int64(1 << 20)
	for _, dir := range []string{"w", "r"} {
		grown, err := lastNumber("/proc/sys/net/ipv4/tcp_" + dir + "mem")
		if err != nil {
			return 0, err
		}
		set, err := lastNumber("/proc/sys/net/core/" + dir + "mem_max")
		if err != nil {
			return 0, err
		}
		size += max(grown, 2*set)
	}
	return size, nil
}

func lastNumber(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	return strconv.ParseInt(fields[len(fields)-1], 10, 64)
}
