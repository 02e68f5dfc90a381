//go:build unix

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

const (
	// peersEnv has the peers built, which takes many minutes the first time.
	peersEnv = "OBJREPL_BENCH_PEERS"
	// peerBuild bounds the build of one peer, and peerRun a run.
	peerBuild = 20 * time.Minute
	peerRun   = 10 * time.Minute

	peerSource, peerDestination = "flat-source", "flat-destination"
)

// A peer is another tool that brings one place up to date with another.
type peer struct {
	name            string
	module, version string
	tags            string // build tags that leave out what this has no use for
	cgo             bool
	// command is what the tool is run with, to bring to up to date with from, and
	// what is added to its environment. It may write to dir.
	command func(tb testing.TB, s s3Server, from, to place, dir string) (args, env []string)
}

// An s3Server is where buckets are.
type s3Server struct{ host, accessKey, secretKey string }

func (s s3Server) url() string { return "http://" + s.host }

// A place is a bucket, or a directory by its path.
type place string

// in is the place as a tool names it that puts prefix before a bucket.
func (p place) in(prefix string) string {
	if filepath.IsAbs(string(p)) {
		return string(p)
	}
	return prefix + string(p)
}

// Each is run with its defaults, but for what it needs to take as unchanged what
// is: rclone else asks for the metadata of every object.
var peers = []peer{
	{
		name: "juicefs sync", module: "github.com/juicedata/juicefs", version: "v1.3.1", cgo: true,
		tags: "nogateway,nowebdav,nocos,nobos,nohdfs,noibmcos,noobs,nooss,noqingstor,nosftp,noswift,noazure,nogs,noufile,nob2,nonfs,nodragonfly,nosqlite,nomysql,nopg,notikv,nobadger,noetcd",
		command: func(_ testing.TB, s s3Server, from, to place, _ string) ([]string, []string) {
			prefix := "minio://" + s.accessKey + ":" + s.secretKey + "@" + s.host + "/"
			return []string{"sync", "--no-https", from.in(prefix) + "/", to.in(prefix) + "/"}, nil
		},
	},
	{
		name: "mc mirror", module: "github.com/minio/mc", version: "v0.0.0-20250313080218-cf909e1063a9",
		command: func(_ testing.TB, s s3Server, from, to place, dir string) ([]string, []string) {
			return []string{"--config-dir", dir, "mirror", "--quiet", from.in("peer/"), to.in("peer/")},
				[]string{"MC_HOST_peer=http://" + s.accessKey + ":" + s.secretKey + "@" + s.host}
		},
	},
	{
		name: "s5cmd sync", module: "github.com/peak/s5cmd/v2", version: "v2.3.0",
		command: func(_ testing.TB, s s3Server, from, to place, _ string) ([]string, []string) {
			source := from.in("s3://") + "/"
			if !filepath.IsAbs(string(from)) {
				source += "*"
			}
			return []string{"--endpoint-url", s.url(), "sync", source, to.in("s3://") + "/"},
				[]string{"AWS_ACCESS_KEY_ID=" + s.accessKey, "AWS_SECRET_ACCESS_KEY=" + s.secretKey, "AWS_REGION=us-east-1"}
		},
	},
	{
		name: "rclone sync --fast-list", module: "github.com/rclone/rclone", version: "v1.76.0",
		command: func(tb testing.TB, s s3Server, from, to place, dir string) ([]string, []string) {
			config := filepath.Join(dir, "rclone.conf")
			text := "[peer]\ntype = s3\nprovider = Other\nlist_version = 2\naccess_key_id = " + s.accessKey +
				"\nsecret_access_key = " + s.secretKey + "\nregion = us-east-1\nendpoint = " + s.url() + "\n"
			require.NoError(tb, os.WriteFile(config, []byte(text), 0o600))
			args := []string{"--config", config, "sync", "--fast-list", from.in("peer:"), to.in("peer:")}
			if !filepath.IsAbs(string(from)) {
				args = append(args, "--checksum")
			}
			return args, nil
		},
	},
}

// build makes the tool's binary in dir. A module that replaces others cannot be
// installed by its name, so it is built where the module cache has it.
func (p peer) build(ctx context.Context, dir string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, peerBuild)
	defer cancel()
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", p.module+"@"+p.version)
	download.Dir = dir
	out, err := download.Output()
	var module struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &module); err != nil || jsonErr != nil {
		return "", fmt.Errorf("download %s@%s: %w %s", p.module, p.version, errors.Join(err, jsonErr), module.Error)
	}
	for _, name := range []string{"go.mod", "go.sum"} { // those in the cache cannot be written
		text, err := os.ReadFile(filepath.Join(module.Dir, name))
		if err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), text, 0o600)); err != nil {
			return "", err
		}
	}
	binary := filepath.Join(dir, "peer")
	cmd := exec.CommandContext(ctx, "nice", "-n", "19", "go", "build", "-C", module.Dir, "-p", "1", "-mod=mod",
		"-modfile="+filepath.Join(dir, "go.mod"), "-tags="+p.tags, "-ldflags=-s -w", "-o", binary, ".")
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0")
	if p.cgo {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s@%s: %w\n%s", p.module, p.version, err, out[max(0, len(out)-2000):])
	}
	return binary, nil
}

// run is one run of the tool.
func (p peer) run(tb testing.TB, binary string, s s3Server, from, to place) (cost, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), peerRun)
	defer cancel()
	dir := tb.TempDir()
	args, env := p.command(tb, s, from, to, dir)
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(append(os.Environ(), "HOME="+dir), env...)
	return measure(tb, cmd)
}

// buildPeers returns the binaries of the peers, empty for one that cannot be built
// here, whose reason it prints.
func buildPeers(b *testing.B) []string {
	b.Helper()
	if os.Getenv(peersEnv) == "" {
		b.Skip("set " + peersEnv + "=1 to build other tools and run them")
	}
	binaries := make([]string, len(peers))
	for i, p := range peers {
		var err error
		if binaries[i], err = p.build(b.Context(), b.TempDir()); err != nil {
			fmt.Printf("%s: left out: %v\n", p.name, err)
		}
	}
	return binaries
}

// BenchmarkPeersFlatMillion prints what it costs this and other tools to find
// that of a million objects in one flat directory none has changed, one tool
// after the other on one synthetic server.
//
//	OBJREPL_BENCH_PEERS=1 go test ./bench -run '^$' -bench PeersFlat -benchtime 1x -timeout 3h
func BenchmarkPeersFlatMillion(b *testing.B) {
	const objects = 1_000_000
	binaries := buildPeers(b)
	for b.Loop() {
		server := testutil.NewSynthetic(b, objects, flatSize)
		f := newFlatBetween(b, objects, server, server)
		f.markDestination()
		f.sync(b) // fills the ledger
		row := func(name string, c cost, requests map[string]int) {
			fmt.Printf("%s: %v  %.0f objects/s  %.1f us CPU/object  %v\n", name, c,
				objects/c.wall.Seconds(), c.cpu.Seconds()*1e6/objects, requests)
		}
		ours := func() {
			r := f.sync(b)
			row("objstore", r.cost, r.source)
		}
		ours()
		for i, p := range peers {
			if binaries[i] == "" {
				continue
			}
			server.Counts()
			c, err := p.run(b, binaries[i], s3Server{strings.TrimPrefix(server.Endpoint, "http://"), "any", "any-secret"}, peerSource, peerDestination)
			requests := server.Counts()
			if err == nil && requests["ListObjects"] < 2*objects/1000 {
				err = fmt.Errorf("it did not list everything: %v", requests)
			}
			if err != nil {
				fmt.Printf("%s: left out: %v\n", p.name, err)
				continue
			}
			row(p.name+" "+p.version, c, requests)
		}
		ours() // the load of the machine may have changed
	}
}
