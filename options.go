package replication

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

// An Option configures a Replicator. New checks all of them and reports every
// fault at once.
type Option func(*config) error

type config struct {
	stateDir    string
	policyFile  string
	drivers     []backend.Driver
	backends    map[string]namedBackend
	interval    time.Duration
	logger      *slog.Logger
	audit       AuditLog
	observer    func(Event)
	concurrency int
	memory      int64
	patience    time.Duration
	partsFrom   int64
	partSize    int64
	state       *stateBackend
}

// A stateBackend is where the policies' state lives, if not in the state
// directory.
type stateBackend struct {
	backend  string
	settings map[string]string
	prefix   string
}

type namedBackend struct {
	driver   string
	settings map[string]string
}

// WithStateDir sets the directory that holds policies, ledgers, locks and
// status. It is required, and made if it is missing. Several processes may
// share one.
func WithStateDir(dir string) Option {
	return func(c *config) error {
		if dir == "" {
			return errors.New("WithStateDir: the directory is empty")
		}
		c.stateDir = dir
		return nil
	}
}

// WithStateBackend keeps what passes remember of their policies (ledger,
// journals, dead letters, status) in a backend, under a prefix, so that any of
// several machines can run a policy and goes on where another left off. A lease
// there keeps a policy to one of them at a time. Name is a driver's or a named
// backend's, whose settings the given ones override; it has to be a store with
// conditional writes, and outside of what its policies replicate. Policies
// themselves stay in the state directory, which is still required for them, and
// for scratch files.
func WithStateBackend(name string, settings map[string]string, prefix string) Option {
	return func(c *config) error {
		switch {
		case name == "":
			return errors.New("WithStateBackend: the name is empty")
		case c.state != nil:
			return errors.New("WithStateBackend is given twice")
		case strings.HasPrefix(prefix, "/"):
			return fmt.Errorf("WithStateBackend: the prefix %q begins with a slash", prefix)
		}
		if prefix != "" && !strings.HasSuffix(prefix, "/") {
			prefix += "/"
		}
		c.state = &stateBackend{name, maps.Clone(settings), prefix}
		return nil
	}
}

// WithPolicyFile reads named backends and policies from a YAML file. They are
// used as they are and never stored; a stored policy of the same id is
// shadowed, with a warning in the log.
func WithPolicyFile(path string) Option {
	return func(c *config) error {
		if path == "" {
			return errors.New("WithPolicyFile: the path is empty")
		}
		c.policyFile = path
		return nil
	}
}

// WithDrivers adds drivers. The drivers local and memory are there already and
// can be replaced by others of the same name.
func WithDrivers(drivers ...backend.Driver) Option {
	return func(c *config) error {
		for _, d := range drivers {
			if d == nil {
				return errors.New("WithDrivers: a driver is nil")
			}
			for _, other := range c.drivers {
				if other.Name() == d.Name() {
					return fmt.Errorf("WithDrivers: two drivers are named %q", d.Name())
				}
			}
			c.drivers = append(c.drivers, d)
		}
		return nil
	}
}

// WithBackend names a backend, so that policies can refer to it and need not
// repeat, or hold, its settings.
func WithBackend(name, driver string, settings map[string]string) Option {
	return func(c *config) error {
		if name == "" || driver == "" {
			return fmt.Errorf("WithBackend(%q, %q): the name or the driver is empty", name, driver)
		}
		if _, taken := c.backends[name]; taken {
			return fmt.Errorf("WithBackend: two backends are named %q", name)
		}
		c.backends[name] = namedBackend{driver, settings}
		return nil
	}
}

// WithInterval sets the CheckInterval of policies that have none. The default
// is five minutes.
func WithInterval(d time.Duration) Option {
	return func(c *config) error {
		if d < time.Second {
			return fmt.Errorf("WithInterval: %v is less than a second", d)
		}
		c.interval = d
		return nil
	}
}

// WithLogger sets the logger. The default logs nothing.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("WithLogger: the logger is nil")
		}
		c.logger = l
		return nil
	}
}

// WithAuditLog records every change of a policy and of a destination object;
// see AuditLog.
func WithAuditLog(a AuditLog) Option {
	return func(c *config) error {
		if a == nil {
			return errors.New("WithAuditLog: the audit log is nil")
		}
		c.audit = a
		return nil
	}
}

// WithObserver calls f for every event of every pass, from several goroutines
// at once. A pass waits for f, so f is to be quick.
func WithObserver(f func(Event)) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("WithObserver: the function is nil")
		}
		c.observer = f
		return nil
	}
}

// WithConcurrency bounds the objects that one pass copies at once. The default
// is 32.
func WithConcurrency(n int) Option {
	return func(c *config) error {
		if n < 1 || n > maxConcurrency {
			return fmt.Errorf("WithConcurrency: %d is not within 1 to %d", n, maxConcurrency)
		}
		c.concurrency = n
		return nil
	}
}

// WithMemoryLimit bounds the bytes of object content that all passes together
// hold in memory. The default is 32 MiB and the least 1 MiB. Listings, ledger
// and connections come on top: some 40 MiB, whatever the number of objects, and
// more where keys are hundreds of bytes long.
func WithMemoryLimit(bytes int64) Option {
	return func(c *config) error {
		if bytes < minMemory {
			return fmt.Errorf("WithMemoryLimit: %d bytes is less than %d", bytes, int64(minMemory))
		}
		c.memory = bytes
		return nil
	}
}

// WithOutagePatience sets how long a pass waits for a store that answered and
// then went out of reach, before it ends with what it has done. 0 ends it at
// once. The default is two minutes.
func WithOutagePatience(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 {
			return fmt.Errorf("WithOutagePatience: %v is negative", d)
		}
		c.patience = d
		return nil
	}
}

// WithPartThreshold sets the size in bytes from which an object is copied in
// parts, several at once, so that a copy that is cut short goes on where it was.
// The default is 64 MiB. A store that takes no parts gets every object whole; one
// whose single writes are limited gets larger objects in parts in any case.
func WithPartThreshold(bytes int64) Option {
	return func(c *config) error {
		if bytes < 1 {
			return fmt.Errorf("WithPartThreshold: %d bytes is less than 1", bytes)
		}
		c.partsFrom = bytes
		return nil
	}
}

// WithPartSize sets the size of a part in bytes, as far as the store allows it
// and the number of parts suffices. The default is 16 MiB. When a copy is cut
// short, what was sent of up to four unfinished parts is sent again.
func WithPartSize(bytes int64) Option {
	return func(c *config) error {
		if bytes < 1 {
			return fmt.Errorf("WithPartSize: %d bytes is less than 1", bytes)
		}
		c.partSize = bytes
		return nil
	}
}

const (
	defaultPatience    = 2 * time.Minute
	defaultInterval    = 5 * time.Minute
	defaultPartsFrom   = 64 << 20
	defaultPartSize    = 16 << 20
	defaultConcurrency = 32
	maxConcurrency     = 1024
	defaultMemory      = 32 << 20
	minMemory          = 1 << 20
)
