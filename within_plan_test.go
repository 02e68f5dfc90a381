package replication

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// A plan counts the requests of copies within the store as the pass makes them.
func TestAPlanForetellsCopiesWithinTheStore(t *testing.T) {
	for name, opt := range map[string]memory.Option{
		"conditions":   func(*memory.Store) {},
		"blind copies": memory.WithProperties(blindCopies),
		"small copies": memory.WithProperties(func(p *backend.Properties) { p.MaxCopy = 999 }),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWithinWorld(t, opt)
			w.largeFrom(1000)
			w.put(w.source, "changed", "before")
			w.put(w.source, "grows", "small")
			w.mustSync()
			w.put(w.source, "changed", "after!")
			w.put(w.source, "grows", strings.Repeat("x", 1500))
			w.put(w.source, "large", strings.Repeat("x", 2000))
			w.put(w.source, "new", "new")
			w.source.calls()
			w.destination.calls()
			plan, err := w.r.PlanOf(t.Context(), w.policy)
			require.NoError(t, err)
			require.Equal(t, plan.Requests.Least, plan.Requests.Most)
			want := plan.Requests.Least
			want.Source.List, want.Destination.List = requestsOf(w.source).List, requestsOf(w.destination).List
			res := w.mustSync()
			require.Equal(t, res.BytesTotal, res.BytesInStore)
			require.Equal(t, want, RequestsBySide{requestsOf(w.source), requestsOf(w.destination)})
			require.Zero(t, want.Source.Get)
			w.requireEqual()
			w.requireQuiet()
		})
	}
}

// A server that does not keep to the version that a copy is to be of copies
// nothing; one that was asked is believed.
func TestAServerIsAskedBeforeItCopies(t *testing.T) {
	for _, ignored := range []string{"", copyFrom, copyAbsent, copyMatch} {
		w, s := newServerWorld(t)
		s.ignores[ignored] = true
		inner := w.wrap
		w.wrap = func(h *hooked) backend.Backend { return withinServer{inner(h).(server)} }
		w.put(w.source, "a", "1")
		res := w.mustSync()
		require.Equal(t, ignored != copyFrom, res.BytesInStore > 0, ignored)
		w.put(w.source, "a", "2")
		w.destination.calls()
		w.mustSync()
		require.Equal(t, ignored == copyMatch, requestsOf(w.destination).Head > 0, ignored)
		w.requireEqual()
		w.requireNoProbe()
	}
}

// withinServer is a server that copies from the source of its world.
type withinServer struct{ server }

func (s withinServer) CopierFrom(source backend.Backend) backend.Copier {
	return withinCopier{s, source.(*hooked)}
}

type withinCopier struct {
	withinServer
	from *hooked
}

func (c withinCopier) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	if err := c.note("copy", to); err != nil {
		return backend.Object{}, err
	}
	if err := c.treat("copy", to, &opts.If); err != nil {
		return backend.Object{}, err
	}
	o, r, err := c.from.Store.Open(ctx, from, backend.OpenOptions{IfMatch: opts.FromMatch})
	if err != nil {
		return o, err
	}
	defer r.Close()
	data := make([]byte, o.Size)
	if _, err := r.Read(data); err != nil {
		return o, err
	}
	return c.Store.Put(ctx, to, backend.Bytes(data), backend.PutOptions{Metadata: *o.Metadata, If: opts.If})
}

func TestIntentsFormatIsAsSpecified(t *testing.T) {
	const golden = `{"version":1,"destination":"s3://host:1/bucket","copies":[` +
		`{"key":"a","source_size":3,"source_tag":"t","source_stamp":"s","source_checksum":"c"},{"key":"b","source_size":0,"source_tag":"u"}]}`
	f := intentsFile{1, "s3://host:1/bucket", []intent{{"a", 3, "t", "s", "c"}, {Key: "b", Tag: "u"}}}
	text, err := json.Marshal(f)
	require.NoError(t, err)
	require.Equal(t, golden, string(text))

	// Others are as good as none.
	w := newWithinWorld(t)
	state := w.openState(t)
	for name, text := range map[string]string{
		"x.json": golden, "later.json": strings.Replace(golden, `:1,`, `:2,`, 1), "cut.json": golden[:50],
		"elsewhere.json": strings.Replace(golden, "host", "other", 1),
	} {
		require.NoError(t, state.write(t.Context(), intentsDir+"/"+name, []byte(text)))
	}
	is, err := openIntents(t.Context(), state, f.Destination, true)
	require.NoError(t, err)
	for n, key := range []string{"a", "b"} {
		got, err := is.of(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, f.Copies[n:][:1], got)
	}
	require.NoError(t, is.earlier.settle(t.Context(), []string{"a"}, func() string { return "rest.json" }))
	require.NoError(t, is.keep(t.Context(), nil))
	require.Equal(t, []string{"rest.json"}, w.intentFiles())
	is.drop()
	require.NoError(t, is.keep(t.Context(), nil))
	require.Empty(t, w.intentFiles())
}
