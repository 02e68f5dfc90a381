package replication

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// A fleet is several machines that run the same policy and share its state.
type fleet struct {
	*world
	state    *hooked
	served   *server // in its place
	machines []*Replicator
}

// stateSide is the driver of the fleet's state.
type stateSide struct{ f *fleet }

func (stateSide) Name() string           { return "state" }
func (stateSide) Schema() backend.Schema { return nil }
func (d stateSide) Open(context.Context, backend.Settings) (backend.Backend, error) {
	if d.f.served != nil {
		return *d.f.served, nil
	}
	return d.f.state, nil
}

func newFleet(t *testing.T, machines int) *fleet {
	f := &fleet{world: newWorld(t), state: &hooked{Store: memory.NewBackend(memory.WithPageSize(3))}}
	for range machines {
		f.machine(filepath.Join(t.TempDir(), "state"))
	}
	return f
}

// machine adds a machine with a state directory.
func (f *fleet) machine(dir string) *Replicator {
	f.t.Helper()
	r, err := New(WithStateDir(dir), WithDrivers(worldDriver{f.world}, stateSide{f}), WithOutagePatience(0),
		WithStateBackend("state", nil, "fleet"))
	require.NoError(f.t, err)
	r.durability = "none"
	r.again = retrier{attempts: 3, first: time.Millisecond}
	f.machines = append(f.machines, r)
	f.t.Cleanup(func() { require.NoError(f.t, r.Close()) })
	return r
}

func (f *fleet) syncOn(machine int) (SyncResult, error) {
	return f.machines[machine].Sync(f.t.Context(), f.policy)
}

// abandonedLease is what a machine leaves that died during a pass.
func (f *fleet) abandonedLease(place string) {
	f.t.Helper()
	state, err := f.machines[0].sharedState(f.t.Context(), f.policy.ID)
	require.NoError(f.t, err)
	_, err = takeLease(f.t.Context(), state, f.policy.ID, place, func(holder) {})
	require.NoError(f.t, err)
}

// leaseKey is where the lease of the fleet's policy lies.
func (f *fleet) leaseKey() string { return "fleet/" + policyDir(f.policy.ID) + "/" + leaseName }

// inFakeTime runs f where time passes only when nothing else can happen. Pooled
// objects do not leave it; see bubble.
func inFakeTime(t *testing.T, f func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		defer func() {
			runtime.GC()
			runtime.GC()
		}()
		f(t)
	})
}

func TestAnyMachineGoesOnWhereAnotherLeftOff(t *testing.T) {
	f := newFleet(t, 2)
	for _, r := range f.machines {
		require.NoError(t, r.AddPolicy(t.Context(), f.policy))
	}
	f.put(f.source, "a", "1")
	f.put(f.source, "b", "2")
	f.destination.before = func(op, key string) error {
		if op == "put" && key == "b" {
			return backend.ErrInvalidKey
		}
		return nil
	}
	_, err := f.syncOn(0)
	require.ErrorIs(t, err, ErrObjectsFailed)
	f.destination.before = nil
	letters, err := f.machines[1].Failures(t.Context(), "p")
	require.NoError(t, err)
	require.Len(t, letters, 1)

	f.source.calls()
	res, err := f.syncOn(1)
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Synced)
	require.NotContains(t, strings.Join(f.destination.calls(), " "), "stat", "the ledger is the other machine's too")
	f.requireEqual()
	status, err := f.machines[0].Status(t.Context(), "p")
	require.NoError(t, err)
	require.EqualValues(t, 2, status.SyncCount)
	require.EqualValues(t, 2, status.TotalObjectsSynced)
	require.Zero(t, status.DeadLetters)
	plan, err := f.machines[0].Plan(t.Context(), "p")
	require.NoError(t, err)
	require.EqualValues(t, 2, plan.Unchanged)
}

func TestAMachineIsToldWhoRunsThePolicy(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		f := newFleet(t, 2)
		f.put(f.source, "a", "1")
		writing, goOn := make(chan struct{}), make(chan struct{})
		finish := sync.OnceFunc(func() { close(goOn) })
		defer finish()
		var puts atomic.Int32
		f.destination.before = func(op, _ string) error {
			if op == "put" && puts.Add(1) == 1 {
				close(writing)
				<-goOn
			}
			return nil
		}
		done := make(chan error, 1)
		go func() {
			_, err := f.syncOn(0)
			done <- err
		}()
		<-writing
		time.Sleep(5 * leaseTime)
		began := time.Now()
		_, err := f.syncOn(1)
		var locked *LockedError
		require.ErrorAs(t, err, &locked)
		require.Contains(t, locked.Holder, thisProcess().Host)
		require.LessOrEqual(t, time.Since(began), 2*leaseBeat, "a holder that is alive shows it soon")
		finish()
		require.NoError(t, <-done)
		began = time.Now()
		_, err = f.syncOn(1)
		require.NoError(t, err)
		require.Less(t, time.Since(began), time.Second, "a lease that was given back is free at once")
	})
}

func TestTheLeaseOfADeadMachineIsTakenOver(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		f := newFleet(t, 3)
		f.put(f.source, "a", "1")
		f.abandonedLease("elsewhere")
		began := time.Now()
		// Where several want it, one gets it. It is still at work when the
		// other looks.
		f.destination.before = firstly("put", func() { time.Sleep(leaseTime) })
		var won, lost atomic.Int32
		var wait sync.WaitGroup
		for _, machine := range []int{1, 2} {
			wait.Go(func() {
				switch _, err := f.syncOn(machine); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, ErrLocked):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wait.Wait()
		require.EqualValues(t, 1, won.Load())
		require.EqualValues(t, 1, lost.Load())
		require.GreaterOrEqual(t, time.Since(began), leaseTime)
	})
}

func TestAMachineThatComesBackNeedNotWaitForItself(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.put(f.source, "a", "1")
		_, err := f.syncOn(0)
		require.NoError(t, err)
		dir, err := openPolicyDir(f.machines[0].state, "p")
		require.NoError(t, err)
		defer dir.Close()
		place, err := placeOf(dir)
		require.NoError(t, err)
		f.abandonedLease(place)
		began := time.Now()
		_, err = f.machine(f.machines[0].config.stateDir).Sync(t.Context(), f.policy)
		require.NoError(t, err)
		require.Zero(t, time.Since(began))
	})
}

func TestAPassThatLosesItsLeaseStops(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.put(f.source, "a", "1")
		f.destination.before = firstly("put", func() {
			// As a machine would that found the holder suspended.
			raw := `{"version":1,"holder":{"pid":7,"host":"other"},"term":"theirs","beat":100,"place":"there"}`
			_, err := f.state.Store.Put(t.Context(), f.leaseKey(), backend.Bytes([]byte(raw)), backend.PutOptions{})
			require.NoError(t, err)
			time.Sleep(2 * leaseBeat)
		})
		_, err := f.syncOn(0)
		require.ErrorIs(t, err, errLeaseLost)
		require.ErrorIs(t, err, ErrLocked)
		require.ErrorContains(t, err, "process 7 on other")
		status, err := f.machines[0].readPolicyState(t.Context(), "p")
		require.NoError(t, err)
		kept, err := readStatus(t.Context(), status)
		require.NoError(t, err)
		require.Zero(t, kept.Passes, "the state is somebody else's to write")
		_, r, err := f.state.Store.Open(t.Context(), f.leaseKey(), backend.OpenOptions{})
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Contains(t, string(data), "theirs", "nor is the lease ours to give back")
	})
}

func TestAPassThatCannotRenewItsLeaseStops(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.put(f.source, "a", "1")
		var out atomic.Bool
		f.state.before = func(string, string) error {
			if out.Load() {
				return backend.ErrUnavailable
			}
			return nil
		}
		began := time.Now()
		f.destination.before = firstly("put", func() {
			out.Store(true)
			time.Sleep(2 * leaseTime)
			out.Store(false)
		})
		_, err := f.syncOn(0)
		require.ErrorIs(t, err, errLeaseLost)
		require.ErrorContains(t, err, "could not be renewed")
		require.Less(t, time.Since(began), 3*leaseTime)
	})
}

func TestALeaseOutlivesAShortOutageAndLostAnswers(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.machines[0].again.attempts = 10
		f.put(f.source, "a", "1")
		var calls atomic.Int32
		f.state.after = func(op, _ string) error {
			if op == "put" && calls.Add(1)%2 == 0 {
				return backend.ErrUnavailable // and yet it was written
			}
			return nil
		}
		f.state.before = func(string, string) error {
			if calls.Add(1)%5 == 0 {
				return backend.ErrUnavailable
			}
			return nil
		}
		f.destination.before = firstly("put", func() { time.Sleep(10 * leaseTime) })
		_, err := f.syncOn(0)
		require.NoError(t, err)
		f.requireEqual()
	})
}

func TestARenewalThatLandsLateIsNoLoss(t *testing.T) {
	f := newFleet(t, 1)
	state, err := f.machines[0].sharedState(t.Context(), "p")
	require.NoError(t, err)
	l, err := takeLease(t.Context(), state, "p", "here", func(holder) {})
	require.NoError(t, err)
	late := *l
	next := late.record
	next.Beat++
	require.NoError(t, late.put(t.Context(), next))
	require.NoError(t, l.release(t.Context()))
	_, err = takeLease(t.Context(), state, "p", "there", func(holder) { t.Error("the lease was not given back") })
	require.NoError(t, err)
}

func TestRemovingAPolicyRemovesItsSharedState(t *testing.T) {
	f := newFleet(t, 1)
	require.NoError(t, f.machines[0].AddPolicy(t.Context(), f.policy))
	f.put(f.source, "a", "1")
	_, err := f.syncOn(0)
	require.NoError(t, err)
	require.Greater(t, len(f.contents(f.state)), 2)
	require.NoError(t, f.machines[0].RemovePolicy(t.Context(), "p"))
	left := f.contents(f.state)
	require.Len(t, left, 1)
	require.True(t, strings.HasPrefix(left[0], f.leaseKey()), "who removes it has the lease until the end")
}

func TestAStateBackendHasToKeepWritersApart(t *testing.T) {
	f := newFleet(t, 0)
	f.state = &hooked{Store: memory.NewBackend(memory.WithProperties(func(p *backend.Properties) { p.Put.IfMatch = false }))}
	f.machine(filepath.Join(t.TempDir(), "state"))
	_, err := f.syncOn(0)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, `state backend "state"`)

	for _, condition := range []string{putAbsent, putMatch} {
		f := newFleet(t, 0)
		f.state = &hooked{Store: memory.NewBackend(memory.WithProperties(func(p *backend.Properties) { p.Varies = true }))}
		f.served = &server{hooked: f.state, mu: new(sync.Mutex), sent: new([]string), ignores: map[string]bool{condition: true}}
		f.machine(filepath.Join(t.TempDir(), "state"))
		_, err := f.syncOn(0)
		require.ErrorIs(t, err, errors.ErrUnsupported, condition)
		f.served.ignores = nil
		f.machine(filepath.Join(t.TempDir(), "state"))
		_, err = f.syncOn(1)
		require.NoError(t, err)
	}
}

func TestAStateBackendLiesOutsideOfWhatIsReplicated(t *testing.T) {
	f := newFleet(t, 0)
	f.state = &hooked{Store: memory.NewBackend(memory.WithProperties(func(p *backend.Properties) { p.Location = "mem:d" }))}
	f.destination = &hooked{Store: memory.NewBackend(memory.WithProperties(func(p *backend.Properties) { p.Location = "mem:d" }))}
	f.machine(filepath.Join(t.TempDir(), "state"))
	_, err := f.syncOn(0)
	require.ErrorIs(t, err, ErrInvalidPolicy)
	require.ErrorContains(t, err, "state in mem:d/fleet/policies/")
	f.policy.SourcePrefix, f.policy.DestinationPrefix = "", "data/"
	_, err = f.syncOn(0)
	require.NoError(t, err)
}

func TestStateBackendOptionsAreChecked(t *testing.T) {
	for name, opt := range map[string]struct {
		opts []Option
		want string
	}{
		"no name":   {[]Option{WithStateBackend("", nil, "")}, "name is empty"},
		"unknown":   {[]Option{WithStateBackend("nowhere", nil, "")}, "WithStateBackend"},
		"settings":  {[]Option{WithStateBackend("local", map[string]string{"pth": "x"}, "")}, "pth"},
		"twice":     {[]Option{WithStateBackend("local", map[string]string{"path": "x"}, ""), WithStateBackend("local", nil, "")}, "twice"},
		"bad place": {[]Option{WithStateBackend("local", map[string]string{"path": "x"}, "/a")}, "begins with a slash"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(append(opt.opts, WithStateDir(t.TempDir()))...)
			require.ErrorContains(t, err, opt.want)
		})
	}
}

func TestAPersistentBackendGoesOnWhereItBrokeOff(t *testing.T) {
	store := &hooked{Store: memory.NewBackend(memory.WithPageSize(2))}
	ctx := t.Context()
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		_, err := store.Put(ctx, key, backend.Bytes([]byte("content of "+key)), backend.PutOptions{})
		require.NoError(t, err)
	}
	p := &persistent{Backend: store, again: retrier{attempts: 3, first: time.Microsecond}}
	calls := 0
	store.before = func(string, string) error {
		if calls++; calls%2 == 1 {
			return backend.ErrUnavailable
		}
		return nil
	}
	store.body = func(_ string, r io.ReadCloser) io.ReadCloser {
		return readCloser{io.MultiReader(io.LimitReader(r, 3), failing{backend.ErrUnavailable}), r}
	}
	_, r, err := p.Open(ctx, "c", backend.OpenOptions{Offset: 2, Length: 6})
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "ntent ", string(data))
	require.NoError(t, r.Close())

	var keys []string
	for page, err := range p.List(ctx, backend.ListOptions{}) {
		require.NoError(t, err)
		for _, o := range page {
			keys = append(keys, o.Key)
		}
	}
	require.Equal(t, []string{"a", "b", "c", "d", "e"}, keys)
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
