//go:build linux

package e2e

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/internal/testutil"
)

var (
	crashKills = flag.Int("crash.kills", 20, "how often the crash test kills a sync, in each direction")
	crashFull  = flag.Bool("crash.full", false, "run the crash test with 3,000 files of 3 GiB instead of 600 of 300 MiB")
	crashSeed  = flag.Uint64("crash.seed", 1, "seed of the crash test")
)

func TestNothingIsLostOrTornWhenSyncsAndServersAreKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	for _, direction := range []string{"local to minio", "minio to local"} {
		t.Run(direction, func(t *testing.T) {
			c := newCrash(t, direction == "local to minio")
			c.seed()
			c.watch(c.killAll)
			c.settle()
		})
	}
}

// A crash is one run of the test: a source that changes, syncs that are killed,
// and a destination that is watched.
type crash struct {
	t       *testing.T
	random  *rand.Rand
	history *history
	meter   *meter

	server              *testutil.Server
	source, destination store
	upload              bool
	binary, state       string
	from, to            string // as the CLI takes them

	bytes   int64 // that the source had at first
	keys    []string
	number  int // of the next content
	removed map[string]bool
	counts  map[string]int // what happened, for people
}

func newCrash(t *testing.T, upload bool) *crash {
	c := &crash{
		t: t, random: rand.New(rand.NewPCG(*crashSeed, 1)), upload: upload,
		history: newHistory(), meter: &meter{sent: newSent(), held: &held{}},
		removed: map[string]bool{}, counts: map[string]int{},
	}
	c.server = testutil.MinIO(t)
	proxy := testutil.CountingProxy(t, c.server.Endpoint)
	proxy.Intercept(c.meter.intercept)
	bucket := newBucketStore(t, c.server)
	dir := folder{filepath.Join(t.TempDir(), "tree"), t.TempDir()}
	require.NoError(t, os.Mkdir(dir.path, 0o755))
	url := fmt.Sprintf("minio://%s?endpoint=%s&accessKey=env:CRASH_KEY&secretKey=env:CRASH_SECRET", bucket.bucket, url.QueryEscape(proxy.URL))
	if upload {
		c.source, c.destination, c.from, c.to = dir, bucket, dir.path, url
	} else {
		c.source, c.destination, c.from, c.to = bucket, dir, url, dir.path
	}
	c.state = filepath.Join(t.TempDir(), "state")
	c.binary = testutil.CLI(t)
	return c
}

// write gives a key a content that no key ever had.
func (c *crash) write(key string, size int) {
	c.number++
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(c.number))
	content := make([]byte, size)
	_, _ = rand.NewChaCha8(seed).Read(content)
	c.history.add(key, content)
	c.source.put(c.t, key, content)
}

// seed fills the source: a few large files and many small ones.
func (c *crash) seed() {
	files, large, small := 600, []int{64, 32, 32, 16, 16, 16}, 400<<10
	if *crashFull {
		files, small = 3000, 1100<<10
		large = slices.Repeat([]int{64, 16, 16, 32}, 12)
	}
	for i := range files {
		key, size := fmt.Sprintf("d%02d/f%04d", i/100, i), c.random.IntN(small)
		if every := files / len(large); i%every == every/2 {
			size = large[i/every] << 20
		}
		c.write(key, size)
		c.keys = append(c.keys, key)
		c.bytes += int64(size)
	}
	c.t.Logf("%d files, %d MiB", files, c.bytes>>20)
}

// watch has the destination read by somebody else while f runs.
func (c *crash) watch(f func()) {
	w := &watcher{store: c.destination, history: c.history, strict: !c.upload}
	ctx, cancel := context.WithCancel(c.t.Context())
	var wait sync.WaitGroup
	wait.Go(func() { w.run(ctx) })
	defer func() {
		cancel()
		wait.Wait()
		c.t.Logf("the watcher read %d objects", w.reads)
		for _, err := range w.faults {
			c.t.Error(err)
		}
	}()
	f()
}

// change overwrites some objects of the source and, now and then, removes one.
func (c *crash) change() {
	for range 2 {
		if key := c.any(); !c.removed[key] {
			c.write(key, c.random.IntN(300<<10))
		}
	}
	if key := c.any(); !c.removed[key] && c.random.IntN(3) == 0 {
		c.source.remove(c.t, key)
		c.history.remove(key)
		c.removed[key] = true // and it never comes back: a late DELETE of a killed sync would take it
	}
}

func (c *crash) any() string { return c.keys[c.random.IntN(len(c.keys))] }

// killAll starts syncs and kills them, all but those that end before.
func (c *crash) killAll() {
	started := time.Now()
	for i := range *crashKills {
		c.killOne(i%5 == 4)
	}
	c.t.Logf("%d syncs in %.0f s: %v", *crashKills, time.Since(started).Seconds(), c.counts)
}

// killOne kills one sync at a random moment: half of them when a random number
// of bytes has passed, so that the work is spread over all syncs whatever the
// speed of the machine, the others after a random time, to meet what moves no
// bytes.
func (c *crash) killOne(server bool) {
	share := 2 * c.bytes / int64(*crashKills)
	sync := c.start()
	c.change()
	moment, pause := c.meter.after(c.random.Int64N(share)), time.Duration(c.random.IntN(20))*time.Millisecond
	if c.random.IntN(2) == 0 {
		moment, pause = nil, time.Duration(c.random.IntN(600))*time.Millisecond
	} else {
		select {
		case <-moment:
		case <-sync.done:
		}
	}
	select {
	case <-time.After(pause):
	case <-sync.done:
	}
	if server {
		c.counts["servers killed"]++
		c.server.Kill(c.t)
		if c.random.IntN(2) == 0 {
			sync.kill() // everything goes at once, as in a power cut
		}
		c.server.Start(c.t)
		select {
		case <-time.After(pause): // an outage that the sync may survive
		case <-sync.done:
		}
	}
	if sync.kill() {
		c.counts["killed"]++
		return
	}
	// It ended by itself, which has to be well but where its server was gone.
	c.counts["ended before"]++
	if !server {
		require.NoError(c.t, sync.err, "%s", sync.output.String())
	}
}

// A running is a sync of the CLI.
type running struct {
	cmd    *exec.Cmd
	output strings.Builder
	done   chan struct{} // closed when it has ended
	err    error         // set before done is closed
}

// start begins a sync. No other one runs.
func (c *crash) start() *running {
	if c.meter.sent.begin(); !c.upload {
		c.meter.held.look(c.t, c.to, c.state)
	}
	r := &running{done: make(chan struct{})}
	r.cmd = exec.CommandContext(c.t.Context(), c.binary, "--state-dir", c.state, "-o", "json", "sync", c.from, c.to)
	r.cmd.Env = append(os.Environ(), "CRASH_KEY="+c.server.AccessKey, "CRASH_SECRET="+c.server.SecretKey)
	r.cmd.Stdout, r.cmd.Stderr = &r.output, &r.output
	require.NoError(c.t, r.cmd.Start())
	go func() {
		defer close(r.done)
		r.err = r.cmd.Wait()
	}()
	c.t.Cleanup(func() { r.kill() })
	return r
}

// kill ends a sync with SIGKILL, and reports whether it did not end before.
func (r *running) kill() bool {
	_ = r.cmd.Process.Signal(syscall.SIGKILL) // an error says that it has ended
	<-r.done
	status, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

// settle lets a sync go through and looks at what is there then.
func (c *crash) settle() {
	t := c.t
	// No request of a killed sync is under way any more.
	c.server.Stop(t)
	c.server.Start(t)
	last := c.start()
	<-last.done
	require.NoError(t, last.err, "%s", last.output.String())
	want, got := c.history.latest(), contents(t, c.destination)
	for key := range got {
		require.Contains(t, want, key, "gone from the source (removed: %v)", c.removed[key])
	}
	require.Equal(t, len(want), len(got))
	require.True(t, maps.Equal(want, got), "the destination differs")

	sent := c.meter.passed()
	again := c.start()
	<-again.done
	require.NoError(t, again.err, "%s", again.output.String())
	require.Equal(t, sent, c.meter.passed(), "a sync of nothing moves no byte:\n%s", again.output.String())
	c.requireNothingTwice()
	t.Logf("%d MiB passed for %d MiB at first: %.2f times", sent>>20, c.bytes>>20, float64(sent)/float64(c.bytes))
	c.requireClean()
}

// requireNothingTwice wants that what was sent or read twice had been part of an
// object or a part of one that the destination did not have: what a kill costs is
// within those that were under way. How much that is depends on when it came.
func (c *crash) requireNothingTwice() {
	whole, parts, err := c.meter.sent.noted()
	require.NoError(c.t, err)
	require.Empty(c.t, c.meter.sent.repeated(), "what was acknowledged is not sent again")
	if c.upload {
		require.Positive(c.t, whole, "acknowledged writes were noted")
		c.t.Logf("%d writes and %d parts were acknowledged", whole, parts)
		for key := range c.history.latest() {
			require.True(c.t, c.meter.sent.written("/"+c.destination.(bucketStore).bucket+"/"+key), "%s: written by nobody", key)
		}
		return
	}
	most, again := c.meter.held.repeated()
	require.GreaterOrEqual(c.t, most, len(c.history.latest()), "what the destination had was noted")
	require.Empty(c.t, again, "what the destination has is not read again")
}

// requireClean looks for what crashes left behind: in the state directory, in
// the destination directory after a sweep, and on the server's disk.
func (c *crash) requireClean() {
	t := c.t
	require.Empty(t, temporary(t, c.state))
	requireNoUploadJournals(t, c.state)
	if !c.upload {
		b, err := local.Driver.Open(t.Context(), backend.Settings{"path": c.to})
		require.NoError(t, err)
		defer b.Close()
		sweeper, ok := backend.As[backend.Sweeper](b)
		require.True(t, ok)
		uploads, err := filepath.Glob(filepath.Join(c.to, ".objrepl", "uploads", "*.json"))
		require.NoError(t, err)
		require.Empty(t, uploads, "unfinished uploads")
		n, err := sweeper.Sweep(t.Context(), time.Now().AddDate(0, 0, 8)) // what has no header goes after a week
		require.NoError(t, err)
		t.Logf("the sweep removed %d temporary files", n)
		require.Empty(t, temporary(t, c.to))
		require.Empty(t, filesBelow(filepath.Join(c.to, ".objrepl", "uploads")))
	}
	// What a server that was killed was writing it clears when it starts. Its
	// .trash is what it has deleted itself, and clears when it has the time.
	c.server.Stop(t)
	c.server.Start(t)
	var left []string
	require.Eventually(t, func() bool {
		left = slices.DeleteFunc(filesBelow(filepath.Join(c.server.Dir, ".minio.sys")), func(path string) bool {
			upload := strings.Contains(path, "/.minio.sys/multipart/") || strings.Contains(path, "/.minio.sys/tmp/")
			return !upload || strings.Contains(path, "/.trash/")
		})
		return len(left) == 0
	}, time.Minute, 100*time.Millisecond, "unfinished uploads on the server's disk: %v", &left)
}

// temporary returns the files below a directory that look temporary.
func temporary(t *testing.T, dir string) []string {
	t.Helper()
	return slices.DeleteFunc(filesBelow(dir), func(path string) bool {
		return !strings.Contains(strings.TrimPrefix(path, dir), "tmp")
	})
}

func filesBelow(dir string) []string {
	var out []string
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, path)
		}
		return nil // what goes meanwhile is gone
	})
	return out
}
