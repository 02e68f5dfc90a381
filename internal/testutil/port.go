package testutil

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// Ports below the ranges from which systems take the source ports of outgoing
// connections (Linux from 32768, RFC 6335 from 49152). A server that is stopped
// then finds its port free at the restart, and until then nothing connects to
// itself there, which TCP allows on a loopback ephemeral port.
const (
	portMin = 15000
	portMax = 32000
)

// freePort returns a loopback port that nothing listens on at this moment.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := portMin + rand.IntN(portMax-portMin)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			last = err
			continue
		}
		return port, l.Close()
	}
	return 0, errors.Join(errors.New("no free port"), last)
}
