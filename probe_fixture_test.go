package replication

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// The conditions that a server can treat in its own way.
const (
	putAbsent      = "put absent"
	putMatch       = "put match"
	deleteMatch    = "delete match"
	completeAbsent = "complete absent"
	completeMatch  = "complete match"
	copyAbsent     = "copy absent"
	copyMatch      = "copy match"
	copyFrom       = "copy from"
)

var allConditions = []string{putAbsent, putMatch, deleteMatch, completeAbsent, completeMatch}

// Those of a copy are sent where a store copies by itself.
var copyConditions = []string{copyAbsent, copyMatch, copyFrom}

// A server is a store whose driver can send every condition, and that does with
// each as a test wants it.
type server struct {
	*hooked
	ignores map[string]bool
	refuses map[string]error

	mu   *sync.Mutex
	sent *[]string // conditions on objects that are no probes'
}

// treat does to a condition what the server does.
func (s server) treat(op, key string, c *backend.Condition) error {
	name := ""
	switch {
	case c.Absent:
		name = op + " absent"
	case c.Match != "":
		name = op + " match"
	default:
		return nil
	}
	if !isProbe(key) {
		s.mu.Lock()
		*s.sent = append(*s.sent, name)
		s.mu.Unlock()
	}
	if err := s.refuses[name]; err != nil {
		return &backend.Error{Op: op, Backend: "test", Key: key, Err: err}
	}
	if s.ignores[name] {
		*c = backend.Condition{}
	}
	return nil
}

func (s server) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	if err := s.treat("put", key, &opts.If); err != nil {
		return backend.Object{}, err
	}
	return s.hooked.Put(ctx, key, body, opts)
}

func (s server) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	c := backend.Condition{Match: opts.IfMatch}
	if err := s.treat("delete", key, &c); err != nil {
		return err
	}
	return s.hooked.Delete(ctx, key, backend.DeleteOptions{IfMatch: c.Match})
}

func (s server) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	if err := s.note("upload", key); err != nil {
		return nil, err
	}
	u, err := s.Store.UploadParts(ctx, key, opts)
	return serverUpload{u, s, key}, s.done("upload", key, err)
}

func (s server) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	if err := s.note("copy", to); err != nil {
		return backend.Object{}, err
	}
	if err := s.treat("copy", to, &opts.If); err != nil {
		return backend.Object{}, err
	}
	if s.ignores[copyFrom] {
		opts.FromMatch = ""
	}
	o, err := s.Store.Copy(ctx, from, to, opts)
	return o, s.done("copy", to, err)
}

type serverUpload struct {
	backend.PartUpload
	server server
	key    string
}

func (u serverUpload) Put(ctx context.Context, number int, body backend.Body) (backend.Part, error) {
	if err := u.server.note("part", u.key); err != nil {
		return backend.Part{}, err
	}
	part, err := u.PartUpload.Put(ctx, number, body)
	return part, u.server.done("part", u.key, err)
}

func (u serverUpload) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	if err := u.server.note("complete", u.key); err != nil {
		return backend.Object{}, err
	}
	if err := u.server.treat("complete", u.key, &c); err != nil {
		return backend.Object{}, err
	}
	o, err := u.PartUpload.Complete(ctx, parts, c)
	return o, u.server.done("complete", u.key, err)
}

func (u serverUpload) Abort(ctx context.Context) error {
	if err := u.server.note("abort", u.key); err != nil {
		return err
	}
	return u.PartUpload.Abort(ctx)
}

// newServerWorld makes a world whose destination is a server.
func newServerWorld(t *testing.T) (*world, *server) {
	w := newWorld(t, memory.WithProperties(func(p *backend.Properties) { p.Varies = true }))
	s := &server{mu: new(sync.Mutex), sent: new([]string), ignores: map[string]bool{}, refuses: map[string]error{}}
	w.wrap = func(h *hooked) backend.Backend {
		out := *s
		out.hooked = h
		return out
	}
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	return w, s
}

// largeFrom makes objects of so many bytes and more go in parts.
func (w *world) largeFrom(size int64) {
	w.r.config.partsFrom, w.r.config.partSize = size, 4
}

// status returns what a policy's status says of weaker guarantees.
func (w *world) weaker() []string {
	w.t.Helper()
	s, err := w.r.Status(w.t.Context(), "p")
	require.NoError(w.t, err)
	return s.Weaker
}

// calls of a server with the keys that they are about.
type keyedCalls struct {
	mu  sync.Mutex
	all []string
}

// watch notes each call but listings, as "op key"; probe's keys are shortened.
func (k *keyedCalls) watch(h *hooked) {
	before := h.before
	h.before = func(op, key string) error {
		if op != "list" {
			k.mu.Lock()
			if isProbe(key) {
				key = key[:strings.LastIndex(key, probeName)] + "probe"
			}
			k.all = append(k.all, op+" "+key)
			k.mu.Unlock()
		}
		if before != nil {
			return before(op, key)
		}
		return nil
	}
}

// take returns the calls since the last time.
func (k *keyedCalls) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := k.all
	k.all = nil
	return out
}

// requireNoProbe wants nothing of a probe to be left, in the store or on disk.
func (w *world) requireNoProbe() {
	w.t.Helper()
	for _, object := range w.contents(w.destination) {
		require.NotContains(w.t, object, probeName)
	}
	require.Empty(w.t, w.destination.Uploads())
	f, err := w.probeState().read()
	require.NoError(w.t, err)
	require.Empty(w.t, f.Left)
}

func (w *world) probeState() probeState {
	return probeState{w.r.state, w.destination.Properties().Location}
}

// guards are those of a pass of the world's policy.
func (w *world) guards() *guards {
	e, err := w.r.openEndpoint(w.t.Context(), "destination", "test", w.policy.DestinationSettings, w.policy.destinationPrefix())
	require.NoError(w.t, err)
	return newGuards(e, w.r.state, w.r.again, w.r.config.logger)
}

func count(calls []string, prefix string) (n int) {
	for _, c := range calls {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

// lookedFirst wants each write of an object to come right after a look at it.
func lookedFirst(t *testing.T, calls []string, write string) {
	t.Helper()
	i := slices.Index(calls, write)
	_, key, _ := strings.Cut(write, " ")
	require.Greater(t, i, 0, "%v", calls)
	require.Equal(t, fmt.Sprintf("stat %s", key), calls[i-1], "%v", calls)
}
