package replication

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/backend/memory"
	"github.com/objrepl/replication/internal/ledger"
)

// onDisk returns every file of the state directory with its content.
func (w *world) onDisk() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	require.NoError(w.t, filepath.WalkDir(w.r.config.stateDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			out[path] = ""
			return err
		}
		data, err := os.ReadFile(path)
		out[path] = string(data)
		return err
	}))
	return out
}

// mustPlan plans and wants nothing to have been changed by it.
func (w *world) mustPlan(opts ...PlanOption) (plan Plan, items []PlanItem) {
	w.t.Helper()
	disk := w.onDisk()
	w.source.calls()
	w.destination.calls()
	plan, err := w.r.PlanOf(w.t.Context(), w.policy, append(opts, PlanItems(func(i PlanItem) error {
		items = append(items, i)
		return nil
	}))...)
	require.NoError(w.t, err)
	w.requireOnlyCalls(w.source, "list")
	w.requireOnlyCalls(w.destination, "list")
	require.Equal(w.t, disk, w.onDisk())
	return plan, items
}

// requireOnlyCalls wants no other calls to a store since the last time.
func (w *world) requireOnlyCalls(h *hooked, allowed ...string) {
	w.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, op := range h.log {
		require.Contains(w.t, allowed, op)
	}
}

func TestAPlanSaysWhatAPassWouldDoAndWhy(t *testing.T) {
	w := newWorld(t)
	stamps := map[string]string{}
	w.source.stamp = func(key string) string { return "1" + stamps[key] }
	for _, key := range []string{"changed", "drift", "gone", "gone-both", "gone-drift", "lost", "stamp", "unchanged"} {
		w.put(w.source, key, "12345")
	}
	w.put(w.source, "adopted", "same")
	w.put(w.destination, "adopted", "same")
	w.mustSync()
	w.put(w.source, "changed", "1234567")
	w.put(w.destination, "drift", "1234")
	w.remove(w.source, "gone")
	w.remove(w.source, "gone-both")
	w.remove(w.destination, "gone-both")
	w.remove(w.source, "gone-drift")
	w.put(w.destination, "gone-drift", "123")
	w.remove(w.source, "adopted")
	w.remove(w.destination, "lost")
	stamps["stamp"] = "x"
	w.put(w.source, "new", "12")
	w.put(w.source, "unknown", "1")
	w.put(w.destination, "unknown", "2")
	w.put(w.destination, "theirs", "2")

	var lines bytes.Buffer
	plan, items := w.mustPlan(PlanItemsTo(&lines))
	want := []PlanItem{
		{"adopted", ActionKeep, ReasonKept, 4},
		{"changed", ActionCopy, ReasonChanged, 7},
		{"drift", ActionLook, ReasonDrift, 5},
		{"gone", ActionDelete, ReasonGone, 5},
		{"gone-both", ActionForget, ReasonGoneBoth, 0},
		{"gone-drift", ActionLook, ReasonGoneDrift, 3},
		{"lost", ActionCopy, ReasonLost, 5},
		{"new", ActionCopy, ReasonNew, 2},
		{"stamp", ActionLook, ReasonStamp, 5},
		{"unknown", ActionLook, ReasonUnknown, 1},
	}
	require.Equal(t, want, items)
	require.Equal(t, want, plan.Items)
	require.Len(t, strings.Split(strings.TrimSpace(lines.String()), "\n"), len(want))
	require.Contains(t, lines.String(), `{"key":"new","action":"copy","reason":"new","bytes":2}`)
	require.EqualValues(t, 1, plan.Unchanged)
	require.EqualValues(t, 7, plan.Listed)
	require.EqualValues(t, 9, plan.Known)
	require.NoError(t, plan.HeldBack)
	objects, size := plan.Total(ActionCopy)
	require.EqualValues(t, 3, objects)
	require.EqualValues(t, 14, size)
	require.Nil(t, plan.DestinationCost)

	text, err := json.Marshal(plan)
	require.NoError(t, err)
	require.Contains(t, string(text), `"copy":{"objects":3,"bytes":14}`)
}

// The heart of it: whatever the state, a plan changes nothing, and the pass
// after it does what the plan said, at the cost that it said.
func TestAPassDoesWhatItsPlanSaid(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t, memory.WithPageSize(rapid.IntRange(1, 5).Draw(rt, "page")),
			memory.WithProperties(func(p *backend.Properties) { p.Delete.IfMatch = rapid.Bool().Draw(rt, "conditional deletes") }))
		// Many rounds share one test: nothing may pile up until its end.
		defer w.r.Close()
		w.policy.Deletes = rapid.SampledFrom([]DeleteMode{PropagateDeletes, PropagateDeletes, KeepDeleted}).Draw(rt, "deletes")
		w.policy.Foreign = rapid.SampledFrom([]ConflictMode{Report, Overwrite}).Draw(rt, "foreign")
		w.policy.Drift = rapid.SampledFrom([]ConflictMode{Report, Overwrite}).Draw(rt, "drift")
		w.policy.MaxDelete = rapid.SampledFrom([]string{"", "off", "2", "30%"}).Draw(rt, "max delete")
		stamps := map[string]string{}
		if rapid.Bool().Draw(rt, "stamps") {
			w.source.stamp = func(key string) string { return "s" + stamps[key] }
		}
		key := rapid.StringMatching(`[a-d]{1,2}`)
		content := rapid.SampledFrom([]string{"", "1", "2", "22"})
		rt.Repeat(map[string]func(*rapid.T){
			"put":              func(rt *rapid.T) { w.put(w.source, key.Draw(rt, "key"), content.Draw(rt, "content")) },
			"remove":           func(rt *rapid.T) { w.remove(w.source, key.Draw(rt, "key")) },
			"put elsewhere":    func(rt *rapid.T) { w.put(w.destination, key.Draw(rt, "key"), content.Draw(rt, "content")) },
			"remove elsewhere": func(rt *rapid.T) { w.remove(w.destination, key.Draw(rt, "key")) },
			"touch": func(rt *rapid.T) {
				stamps[key.Draw(rt, "key")] += rapid.SampledFrom([]string{"x", "~"}).Draw(rt, "stamp")
			},
			"lose ledger": func(rt *rapid.T) { w.loseLedger() },
			"plan and sync": func(rt *rapid.T) {
				force := rapid.Bool().Draw(rt, "force")
				w.planThenSync(rt, force)
			},
		})
		w.planThenSync(rt, false)
	})
}

func (w *world) planThenSync(t *rapid.T, force bool) {
	var opts []SyncOption
	if force {
		opts = append(opts, ForceDeletes())
	}
	sides := slices.Concat(w.contents(w.source), []string{"-"}, w.contents(w.destination))
	plan, items := w.mustPlan(PlanFor(opts...))
	require.Equal(t, sides, slices.Concat(w.contents(w.source), []string{"-"}, w.contents(w.destination)))
	planLists := [2]int{len(w.source.calls()), len(w.destination.calls())}

	w.events = nil
	res, err := w.sync(opts...)
	became := map[string]EventType{}
	for _, e := range w.events {
		if e.Key != "" {
			became[e.Key] = e.Type
		}
	}
	held := errors.Is(err, ErrBrake) || errors.Is(err, ErrEmptySource)
	// What has to be looked at first may add to what the brake counts.
	unclaimed := slices.ContainsFunc(items, func(i PlanItem) bool { return i.Reason == ReasonUnclaimed })
	if !unclaimed || plan.HeldBack != nil {
		require.Equal(t, plan.HeldBack != nil, held)
	}
	if held {
		require.Zero(t, res.Deleted)
	}
	if plan.HeldBack != nil {
		require.ErrorContains(t, err, plan.HeldBack.Error())
		require.Zero(t, res.Deleted)
	}
	looked := int64(0)
	for _, item := range items {
		got := became[item.Key]
		delete(became, item.Key)
		switch item.Action {
		case ActionCopy:
			require.Equal(t, EventSynced, got, "%v", item)
		case ActionDelete:
			want := EventDeleted
			if held {
				want = ""
			}
			require.Equal(t, want, got, "%v", item)
		case ActionLook:
			allowed := map[Reason][]EventType{
				ReasonStamp:     {EventSynced, ""},
				ReasonUnknown:   {EventSynced, EventAdopted, EventFailed},
				ReasonDrift:     {EventSynced, EventAdopted, EventFailed},
				ReasonGoneDrift: {EventDeleted, ""},
				ReasonUnclaimed: {EventDeleted, ""},
			}[item.Reason]
			require.Contains(t, allowed, got, "%v", item)
			if item.Reason == ReasonStamp && got == "" {
				looked++
			}
		default:
			require.Empty(t, got, "%v", item)
		}
	}
	require.Empty(t, became, "what the plan did not have")
	require.Equal(t, plan.Unchanged+looked, res.Skipped)

	if held && plan.HeldBack == nil {
		plan.Requests.Least = RequestsBySide{}
	}
	w.requireCalls(t, w.source, plan.Requests.Least.Source, plan.Requests.Most.Source, planLists[0])
	w.requireCalls(t, w.destination, plan.Requests.Least.Destination, plan.Requests.Most.Destination, planLists[1])
}

// requireCalls holds the calls since the last time against an estimate.
func (w *world) requireCalls(t *rapid.T, h *hooked, least, most Requests, lists int) {
	made := map[string]int64{}
	for _, op := range h.calls() {
		made[op]++
	}
	require.EqualValues(t, lists, made["list"])
	for op, bounds := range map[string][2]int64{
		"stat":   {least.Head, most.Head},
		"open":   {least.Get, most.Get},
		"put":    {least.Put, most.Put},
		"delete": {least.Delete, most.Delete},
	} {
		require.LessOrEqual(t, bounds[0], made[op], op)
		require.GreaterOrEqual(t, bounds[1], made[op], op)
	}
}

func TestAPlanKeepsTheFirstItemsInOrderAndCountsAll(t *testing.T) {
	w := newWorld(t, memory.WithPageSize(20))
	for i := range 400 {
		w.put(w.source, fmt.Sprintf("k%03d", i), "12")
	}
	plan, items := w.mustPlan()
	require.Len(t, items, 400)
	require.Len(t, plan.Items, maxPlanItems)
	for i, item := range plan.Items {
		require.Equal(t, fmt.Sprintf("k%03d", i), item.Key)
	}
	require.Equal(t, []PlanCount{{ActionCopy, ReasonNew, 400, 800}}, plan.Reasons)
	require.EqualValues(t, 400, plan.Requests.Most.Destination.Put)
	// The probes that divide the first pass are in the listings of the source.
	require.Greater(t, plan.Requests.Least.Source.List, int64(20))
}

func TestAPlanEndsWithTheErrorOfWhoeverTakesItsItems(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	full := errors.New("disk full")
	_, err := w.r.PlanOf(t.Context(), w.policy, PlanItems(func(PlanItem) error { return full }))
	require.ErrorIs(t, err, full)
}

func TestAPlanWhoseListingFailsIsAnError(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.destination.before = func(op, _ string) error { return backend.ErrStoreNotFound }
	_, err := w.r.PlanOf(t.Context(), w.policy)
	require.ErrorIs(t, err, backend.ErrStoreNotFound, "a store in memory cannot be made, so it is not taken as empty")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.r.PlanOf(ctx, w.policy)
	require.ErrorIs(t, err, context.Canceled)
	_, err = w.r.Plan(t.Context(), "unknown")
	require.ErrorIs(t, err, ErrPolicyNotFound)
}

func TestAPlanNeedsNoLock(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	w.mustSync()
	w.put(w.source, "b", "1")
	var inner error
	var plan Plan
	w.destination.before = func(op, _ string) error {
		if op == "put" {
			plan, inner = w.r.PlanOf(t.Context(), w.policy)
		}
		return nil
	}
	w.mustSync()
	require.NoError(t, inner)
	require.EqualValues(t, 1, plan.Unchanged)
}

func TestAPlanGoesOnWhereTheLedgerIsDamaged(t *testing.T) {
	w := newWorld(t, memory.WithProperties(func(p *backend.Properties) { p.StartAfter = false })) // one shard
	dir := filepath.Join(w.r.config.stateDir, policyDir("p"), ledgerDir)
	segments := func() []string {
		names, err := filepath.Glob(filepath.Join(dir, "segment-*"))
		require.NoError(t, err)
		return names
	}
	for i := range 10 {
		w.put(w.source, fmt.Sprintf("a%d", i), "1")
	}
	w.mustSync()
	first := segments()
	for i := range 10 {
		w.put(w.source, fmt.Sprintf("z%d", i), "1")
	}
	w.mustSync()
	second := slices.DeleteFunc(segments(), func(name string) bool { return slices.Contains(first, name) })
	require.Len(t, second, 1)
	require.NoError(t, os.WriteFile(second[0], []byte("damaged"), 0o600))
	w.put(w.source, "a0", "2")

	plan, items := w.mustPlan()
	require.Len(t, items, 11, "nothing is told twice")
	require.EqualValues(t, 20, plan.Listed)
	require.EqualValues(t, 9, plan.Unchanged)
	require.EqualValues(t, 10, plan.Known)
	require.EqualValues(t, 10, w.mustSync().Adopted)
}

func TestWithoutADigestAnotherStampMeansACopy(t *testing.T) {
	w := newWorld(t)
	stamp := "1"
	w.source.stamp = func(string) string { return stamp }
	w.put(w.source, "k", "1")
	w.mustSync()
	w.loseLedger()
	require.EqualValues(t, 1, w.mustSync().Adopted)
	stamp = "2"
	_, items := w.mustPlan()
	require.Equal(t, []PlanItem{{"k", ActionCopy, ReasonUnproven, 1}}, items)
	require.EqualValues(t, 1, w.mustSync().Synced)
}

func TestAMissingDestinationIsEmptyUntilItWasWrittenTo(t *testing.T) {
	source, destination := t.TempDir(), filepath.Join(t.TempDir(), "not", "there")
	require.NoError(t, os.WriteFile(filepath.Join(source, "a"), []byte("1"), 0o644))
	state := filepath.Join(t.TempDir(), "state")
	r, err := New(WithStateDir(state))
	require.NoError(t, err)
	defer r.Close()
	p := Policy{
		ID: "p", SourceBackend: "local", SourceSettings: map[string]string{"path": source},
		DestinationBackend: "local", DestinationSettings: map[string]string{"path": destination},
	}
	plan, err := r.PlanOf(t.Context(), p)
	require.NoError(t, err)
	require.True(t, plan.DestinationMissing)
	require.Equal(t, []PlanItem{{"a", ActionCopy, ReasonNew, 1}}, plan.Items)
	require.NoDirExists(t, filepath.Dir(destination))
	require.NoDirExists(t, filepath.Join(state, policyDir("p")))

	_, err = r.Sync(t.Context(), p)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(destination))
	plan, err = r.PlanOf(t.Context(), p)
	require.NoError(t, err)
	require.True(t, plan.DestinationMissing, "removed from where it was")

	require.NoError(t, r.hold(t.Context(), p.ID, func(ctx context.Context, _ string, state *policyState) error {
		s, err := readStatus(ctx, state)
		s.Destination.Volume = "another"
		return errors.Join(err, writeStatus(ctx, state, s))
	}))
	_, err = r.PlanOf(t.Context(), p)
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
	_, err = r.Sync(t.Context(), p)
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
	require.NoDirExists(t, destination)
}

func TestCostIsKnownWhereAPriceIs(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	plan, _ := w.mustPlan(DestinationPrices(Prices{Put: 5}), SourcePrices(Prices{Get: 1, List: 0}))
	require.InDelta(t, 0.01, plan.DestinationCost.Most, 1e-9)
	require.InDelta(t, 0.002, plan.SourceCost.Least, 1e-9)

	aws := &endpoint{props: backend.Properties{Location: "s3://s3.amazonaws.com/bucket"}}
	require.InDelta(t, 5.0, costOf(nil, aws, Requests{Put: 1_000_000}, Requests{}).Least, 1e-9)
	other := &endpoint{props: backend.Properties{Location: "s3://127.0.0.1:9000/bucket"}}
	require.Nil(t, costOf(nil, other, Requests{Put: 1}, Requests{}))
}

func TestPlanningReadsTheLedgerWithoutTakingIt(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.mustSync()
	dir := filepath.Join(w.r.config.stateDir, policyDir("p"), ledgerDir)
	b, err := local.Driver.Open(t.Context(), backend.Settings{"path": dir})
	require.NoError(t, err)
	defer b.Close()
	writer, err := ledger.Open(t.Context(), ledger.Options{Backend: b, Scratch: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, writer.Take(t.Context(), "somebody else"))
	w.mustPlan()
	u := writer.Begin()
	require.NoError(t, u.Put(t.Context(), ledger.Entry{Key: "x"}))
	require.NoError(t, u.Commit(t.Context()), "still the writer")
}

func ExampleReplicator_Plan() {
	dir := exampleDir()
	defer os.RemoveAll(dir)
	r, err := New(WithStateDir(filepath.Join(dir, "state")))
	if err != nil {
		panic(err)
	}
	defer r.Close()
	ctx := context.Background()
	err = r.AddPolicy(ctx, Policy{
		ID:                  "backup",
		SourceBackend:       "local",
		SourceSettings:      map[string]string{"path": "examples/data/docs"},
		DestinationBackend:  "local",
		DestinationSettings: map[string]string{"path": filepath.Join(dir, "backup")},
		MaxDelete:           "10%",
	})
	if err != nil {
		panic(err)
	}
	plan, err := r.Plan(ctx, "backup", PlanItems(func(i PlanItem) error {
		fmt.Println(i.Action, i.Reason, i.Key)
		return nil
	}))
	if err != nil {
		panic(err)
	}
	objects, bytes := plan.Total(ActionCopy)
	fmt.Println(objects > 0, bytes > 0, plan.HeldBack)
	// Output:
	// copy new config.json
	// copy new empty.txt
	// copy new grüße aus köln.txt
	// copy new inventory.csv
	// copy new meeting notes.md
	// true true <nil>
}

// exampleDir is a directory of an example, which removes it by itself.
func exampleDir() string {
	dir, err := os.MkdirTemp("", "replication-example")
	if err != nil {
		panic(err)
	}
	return dir
}
