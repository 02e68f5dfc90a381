package testutil

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Runner is what [testing.M] and the like do.
type Runner interface{ Run() int }

// Main is the TestMain of a package that uses shared servers: it runs the tests,
// ends the shared servers and exits. The servers named are built meanwhile, so
// that a test in need of one waits as little as possible; under -short they are
// built only when a test asks.
func Main(m Runner, servers ...string) { os.Exit(Suite(m, servers...).Run()) }

// Suite is Main without the exit, for a TestMain that has more to do:
//
//	goleak.VerifyTestMain(testutil.Suite(m))
func Suite(m Runner, servers ...string) Runner { return &suite{m, servers} }

type suite struct {
	m       Runner
	servers []string
}

func (s *suite) Run() int {
	if !flag.Parsed() {
		flag.Parse()
	}
	sharedServers.enable()
	var builds sync.WaitGroup
	if !testing.Short() {
		builds.Go(func() {
			for _, name := range s.servers {
				// The test that needs the server reports the error.
				_, _ = serverBinary(name)
			}
		})
	}
	code := s.m.Run()
	cancelBuilds()
	builds.Wait()
	if err := sharedServers.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testutil: end shared servers:", err)
		code = max(code, 1)
	}
	return code
}

// SharedMinIO returns the MinIO server of this test process, starting it if no
// test has yet. It needs a TestMain that calls [Main]. The server keeps a few
// goroutines of this process until then; a test that counts goroutines takes its
// base line after this call.
func SharedMinIO(tb testing.TB) *Server {
	tb.Helper()
	return sharedServers.get(tb, minioSpec)
}

// SharedVersityGW is SharedMinIO for versitygw.
func SharedVersityGW(tb testing.TB) *Server {
	tb.Helper()
	return sharedServers.get(tb, versitygwSpec)
}

// SharedFakeGCS is SharedMinIO for fake-gcs-server.
func SharedFakeGCS(tb testing.TB) *Server {
	tb.Helper()
	return sharedServers.get(tb, fakegcsSpec)
}

var sharedServers = sharedSet{entries: make(map[string]*sharedEntry)}

type sharedSet struct {
	mu      sync.Mutex
	enabled bool                    // guarded by mu
	entries map[string]*sharedEntry // guarded by mu
}

// sharedEntry is a server or the reason there is none, found out once.
type sharedEntry struct {
	once   sync.Once
	server *Server
	work   string
	err    error
}

func (set *sharedSet) enable() {
	set.mu.Lock()
	defer set.mu.Unlock()
	set.enabled = true
}

func (set *sharedSet) get(tb testing.TB, spec serverSpec) *Server {
	tb.Helper()
	set.mu.Lock()
	enabled := set.enabled
	e := set.entries[spec.name]
	if e == nil {
		e = new(sharedEntry)
		set.entries[spec.name] = e
	}
	set.mu.Unlock()
	if !enabled {
		tb.Fatal("a shared server needs a TestMain that calls testutil.Main, which ends it")
	}
	e.once.Do(func() { e.start(spec) })
	if e.err != nil {
		giveUp(tb, e.err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("output of shared %s at %s:\n%s", spec.name, e.server.Endpoint, e.server.Output())
		}
	})
	return e.server
}

func (e *sharedEntry) start(spec serverSpec) {
	if e.work, e.err = os.MkdirTemp("", "objrepl-test-"); e.err != nil {
		return
	}
	if e.server, e.err = startServer(spec, e.work, nil); e.err != nil {
		return
	}
	e.server.shared = true
}

// stop ends the servers and removes their data. No test is running any more.
func (set *sharedSet) stop() error {
	set.mu.Lock()
	defer set.mu.Unlock()
	set.enabled = false
	var errs []error
	for name, e := range set.entries {
		if e.server != nil {
			e.server.end((*process).kill)
		}
		if e.work != "" {
			errs = append(errs, os.RemoveAll(e.work))
		}
		delete(set.entries, name)
	}
	return errors.Join(errs...)
}
