package replication

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	modelSeed     = flag.Uint64("model.seed", 0, "replay this one seed of TestModel, with its calls")
	modelFirst    = flag.Uint64("model.first", 1, "the first seed of TestModel; the others follow it")
	modelDuration = flag.Duration("model.duration", 60*time.Second, "how long TestModel goes through seeds; 5s with -short")
	modelRuns     = flag.Uint64("model.runs", 3000, "how many seeds TestModel goes through at most; 0 is no bound")
	mutantBudget  = flag.Int("model.mutants", 5000, "how many seeds a mutation of the engine may survive")
)

// TestModel runs the engine against simulated stores, each seed another policy,
// another world and other faults, and checks at every write and at the end
// what the library promises. A failing seed is made as short as it gets.
//
//	go test -run TestModel -model.seed=17        replays one seed
//	go test -run TestModel -model.duration=8h -model.runs=0 -model.first=1000000 -timeout=0
func TestModel(t *testing.T) {
	if *modelSeed != 0 {
		bubble(t, func(m *modelRunner) {
			s := m.run(drawPlan(*modelSeed), mutant{})
			t.Logf("%s%s", s.plan, strings.Join(s.trace, "\n"))
			if s.violation != "" {
				m.report(t, s)
			}
		})
		return
	}
	budget := *modelDuration
	if testing.Short() {
		budget = min(budget, 5*time.Second)
	}
	began, runs := time.Now(), uint64(0)
	more := func() bool {
		return !t.Failed() && time.Since(began) < budget && (*modelRuns == 0 || runs < *modelRuns)
	}
	for more() {
		left := budget - time.Since(began)
		bubble(t, func(m *modelRunner) {
			for end := runs + bubbleRuns; runs < end && m.elapsed() < left && (*modelRuns == 0 || runs < *modelRuns); runs++ {
				if s := m.run(drawPlan(*modelFirst+runs), mutant{}); s.violation != "" {
					m.report(t, s)
					return
				}
			}
		})
	}
	t.Logf("%d runs from seed %d, %.0f a second", runs, *modelFirst, float64(runs)/time.Since(began).Seconds())
}

// bubbleRuns bounds the runs of one bubble. Its clock begins in 2000, jumps by days,
// and ends with the nanoseconds of an int64 in 2262.
const bubbleRuns = 10_000

// TestModelReplays wants a seed to be one run. What the shards of a cancelled
// pass still ask, and are refused, comes in any order.
func TestModelReplays(t *testing.T) {
	answered := func(s *simulation) []string {
		return slices.DeleteFunc(slices.Clone(s.trace), func(line string) bool {
			return strings.HasSuffix(line, context.Canceled.Error())
		})
	}
	bubble(t, func(m *modelRunner) {
		for seed := range uint64(20) {
			p := drawPlan(*modelFirst + seed)
			once, again := m.run(p, mutant{}), m.run(p, mutant{})
			require.Equal(t, answered(once), answered(again), "seed %d", p.seed)
		}
	})
}

// TestModelCatchesMutants breaks one rule of the engine after the other and
// wants the model to notice.
func TestModelCatchesMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("goes through some thousand runs")
	}
	bubble(t, func(m *modelRunner) {
		for _, broken := range mutants {
			seed := *modelFirst
			last := seed + uint64(*mutantBudget)
			for ; seed < last; seed++ {
				p := drawPlan(seed, broken.when...)
				if broken.with != nil {
					broken.with(&p.setup)
				}
				if s := m.run(p, broken); s.violation != "" && m.run(p, mutant{}).violation == "" {
					t.Logf("%-55s caught after %5d runs: %s", broken.name, seed-*modelFirst+1, s.violation)
					break
				}
			}
			if seed == last {
				t.Errorf("%s: not caught in %d runs", broken.name, *mutantBudget)
			}
		}
	})
}

func (m *modelRunner) run(p plan, broken mutant) *simulation {
	m.runs++
	dir := filepath.Join(m.dir, strconv.Itoa(m.runs))
	defer os.RemoveAll(dir)
	s := newSimulation(p, broken, dir)
	s.run()
	return s
}

// report prints a failing plan, made as short as it gets, and its calls.
func (m *modelRunner) report(t *testing.T, failed *simulation) {
	short := m.run(m.shrink(failed.plan), mutant{})
	if short.violation == "" { // a run that hangs on more than its plan, which is a fault of the model
		short = failed
	}
	t.Errorf("seed %d: %s\n\nThe shortest plan found breaks: %s\n%s\n%s\n\nReplay with -run TestModel -model.seed=%d",
		failed.plan.seed, failed.violation, short.violation, short.plan, strings.Join(short.trace, "\n"), failed.plan.seed)
}
