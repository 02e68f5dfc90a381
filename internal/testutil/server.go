package testutil

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	// readyTimeout is generous: a machine running several test packages at once
	// takes a while to start one more server.
	readyTimeout = 60 * time.Second
	readyPoll    = 20 * time.Millisecond
	stopGrace    = 15 * time.Second
	bindAttempts = 5
)

// Server is a real object store on a loopback port, with credentials and data that
// no other server shares. Its methods may be called from several goroutines, but
// only from the test's own those that fail the test (see [testing.TB.FailNow]).
type Server struct {
	Endpoint  string // http://127.0.0.1:port, the same over restarts
	AccessKey string
	SecretKey string
	Region    string
	Dir       string // the server's data, below the test's temporary directory

	spec   serverSpec
	binary string
	work   string // holds Dir and whatever else the server keeps
	env    []string
	args   []string
	port   func() (int, error)
	shared bool

	mu      sync.Mutex
	process *process // guarded by mu; nil before the first start
}

// serverSpec is what differs between kinds of servers.
type serverSpec struct {
	name string
	// with runs the binary where it is a script; empty where it runs itself.
	with string
	// command returns the arguments and the environment, beyond what every child
	// gets, that make the binary serve addr. It may create directories in s.work.
	command func(s *Server, addr string) (args, env []string, err error)
	// ready asks the server once. Only an answer that no other server would give
	// counts, for another may have taken the port.
	ready func(ctx context.Context, s *Server) error
}

// Option changes how a server is started.
type Option func(*Server)

// WithEnv adds variables, each "NAME=value", to the server's environment. They
// win over those the launcher sets.
func WithEnv(vars ...string) Option {
	return func(s *Server) { s.env = append(s.env, vars...) }
}

// WithArgs adds arguments to the server's command line, behind the launcher's
// flags and before the data directory.
func WithArgs(args ...string) Option {
	return func(s *Server) { s.args = append(s.args, args...) }
}

// WithRegion has the server name another region than us-east-1.
func WithRegion(region string) Option {
	return func(s *Server) { s.Region = region }
}

// startServer starts a server with its data below work. It returns when the
// server is ready, or an error with the end of its output.
func startServer(spec serverSpec, work string, opts []Option) (*Server, error) {
	binary, err := serverBinary(spec.name)
	if err != nil {
		return nil, &unavailableError{err}
	}
	s := &Server{
		AccessKey: "test" + randomHex(8),
		SecretKey: randomHex(16),
		Region:    "us-east-1",
		Dir:       filepath.Join(work, "data"),
		spec:      spec,
		binary:    binary,
		work:      work,
		port:      freePort,
	}
	for _, opt := range opts {
		opt(s)
	}
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		return nil, err
	}
	// A free port can be taken by someone else before the server binds it.
	for attempt := 1; ; attempt++ {
		port, err := s.port()
		if err != nil {
			return nil, err
		}
		s.Endpoint = fmt.Sprintf("http://127.0.0.1:%d", port)
		err = s.start()
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, errPortTaken) || attempt == bindAttempts {
			return nil, err
		}
	}
}

var errPortTaken = errors.New("port is taken")

// start runs the binary on the server's port and waits until it is ready.
func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil && !s.process.exited() {
		return fmt.Errorf("start %s: already running", s.spec.name)
	}
	addr := strings.TrimPrefix(s.Endpoint, "http://")
	args, env, err := s.spec.command(s, addr)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.spec.name, err)
	}
	cmd := exec.Command(s.binary, args...)
	if s.spec.with != "" {
		cmd = exec.Command(s.spec.with, append([]string{s.binary}, args...)...)
	}
	cmd.Dir = s.work
	cmd.Env = slices.Concat(cleanEnviron(), env, s.env)
	p, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", s.spec.name, err)
	}
	s.process = p
	if err := s.waitReady(p); err != nil {
		p.kill()
		return fmt.Errorf("start %s on %s: %w\n%s", s.spec.name, addr, err, p.output)
	}
	return nil
}

// waitReady asks p until it is ready. Its end interrupts a question that hangs,
// which one to a foreign listener on the port would.
func (s *Server) waitReady(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	})
	defer watch.Wait()
	defer cancel()

	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	last := errors.New("no answer")
	for {
		select {
		case <-ctx.Done():
			if !p.exited() {
				return fmt.Errorf("not ready after %s: %w", readyTimeout, last)
			}
			if out := p.output.String(); strings.Contains(out, "already in use") || strings.Contains(out, "Only one usage") {
				return errPortTaken
			}
			return fmt.Errorf("ended before it was ready: %v", p.cmd.ProcessState)
		case <-tick.C:
		}
		if last = s.spec.ready(ctx, s); last == nil {
			return nil
		}
	}
}

// Start starts the server again, on the port and the data it had, after Stop or
// Kill. It returns when the server is ready.
func (s *Server) Start(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

// Stop ends the server in the orderly way (SIGTERM, and SIGKILL after 15 s).
// The port refuses connections until Start.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	s.mustOwn(tb)
	s.end(func(p *process) { p.terminate(stopGrace) })
}

// Kill ends the server at once (SIGKILL), as a crash or a power cut would.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.mustOwn(tb)
	s.end((*process).kill)
}

func (s *Server) mustOwn(tb testing.TB) {
	tb.Helper()
	if s.shared {
		tb.Fatal("stop of a shared server, which other tests use: start one of your own")
	}
}

func (s *Server) end(how func(*process)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		how(s.process)
	}
}

// PID returns the process id of the server; each start has a new one.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.pid()
}

// Output returns the end of what the server has printed since its last start.
func (s *Server) Output() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.output.String()
}

// newServer starts a server for the length of a test.
func newServer(tb testing.TB, spec serverSpec, opts []Option) *Server {
	tb.Helper()
	s, err := startServer(spec, tb.TempDir(), opts)
	if err != nil {
		giveUp(tb, err)
	}
	tb.Cleanup(func() {
		s.end((*process).kill)
		if tb.Failed() {
			tb.Logf("output of %s at %s:\n%s", s.spec.name, s.Endpoint, s.Output())
		}
	})
	return s
}

// unavailableError says that this machine has no binary of the server and cannot
// build one, which is no fault of the code under test.
type unavailableError struct{ err error }

func (e *unavailableError) Error() string { return e.err.Error() }
func (e *unavailableError) Unwrap() error { return e.err }

// giveUp ends a test whose server did not start. A server that could not be built
// skips the test, except in CI, where a skip would hide that nothing was tested.
func giveUp(tb testing.TB, err error) {
	tb.Helper()
	var unavailable *unavailableError
	if !errors.As(err, &unavailable) || os.Getenv("CI") == "true" {
		tb.Fatal(err)
	}
	tb.Skipf("NOT TESTED, no server to test against: %v\n"+
		"Run `go run ./internal/testutil/cmd/buildservers` once with the go tool, npm and a network, "+
		"or set %s to a directory it has filled.", err, cacheDirEnv)
}

// cleanEnviron is this process's environment without the variables that would
// reconfigure a server.
func cleanEnviron() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		for _, prefix := range []string{"MINIO_", "_MINIO_", "VGW_", "FAKE_GCS_", "ROOT_", "AWS_", "AZURITE_", "NODE_", "LOGFILE=", "WEBHOOK="} {
			if strings.HasPrefix(v, prefix) {
				return true
			}
		}
		return false
	})
}
