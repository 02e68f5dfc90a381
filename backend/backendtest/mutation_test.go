package backendtest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/backend/memory"
)

// A mutation breaks one sentence of the contract; want is a check that has to
// notice.
type mutation struct {
	name, want string
	make       func(m *mutant)
}

var mutants = slices.Concat(
	answersMutants, writeMutants, listMutants, metadataMutants, keyMutants, cancelMutants, partMutants,
	uploadMutants, bulkMutants, copyMutants, acrossMutants, besideMutants,
)

// TestMutantsAreCaught runs, for every mutant, the check that has to notice,
// and then that check on the sound backend, where it has to pass.
func TestMutantsAreCaught(t *testing.T) {
	for _, mutation := range mutants {
		t.Run(mutation.name, func(t *testing.T) {
			t.Parallel()
			store := memory.NewBackend(memory.WithPageSize(7), memory.WithService("mutants"))
			open := func(context.Context) (backend.Backend, error) {
				m := &mutant{Backend: store}
				mutation.make(m)
				return m, nil
			}
			opts := backendtest.Options{
				Only: []string{mutation.want}, LargeSize: 1 << 20, Objects: 2000, Grace: 2 * time.Second,
			}
			report, err := backendtest.Run(t.Context(), open, opts)
			if len(report.Results) != 1 || report.Results[0].Err == nil {
				t.Fatalf("%s did not notice; run: %v", mutation.want, err)
			}
			text := report.Results[0].Err.Error()
			if !strings.Contains(text, "got") && !strings.Contains(text, "panic") {
				t.Errorf("the message does not say what was got: %s", text)
			}
			t.Log(text[:min(len(text), 400)])

			sound := memory.NewBackend(memory.WithPageSize(7), memory.WithService("mutants"))
			if _, err := backendtest.Run(t.Context(), func(context.Context) (backend.Backend, error) { return sound, nil }, opts); err != nil {
				t.Errorf("the sound backend fails: %v", err)
			}
		})
	}
}

// TestEveryCheckHasAMutant keeps checks from being added that nobody has seen
// fail. The odd keys and metadata not listed share their code with those that
// are; sweep and the outages have tests of their own.
func TestEveryCheckHasAMutant(t *testing.T) {
	caught := map[string]bool{"sweep": true, "store-missing": true, "store-unreachable": true}
	for _, m := range mutants {
		caught[m.want] = true
	}
	for _, c := range backendtest.Checks() {
		if shared := strings.HasPrefix(c.Name, "key-") || strings.HasPrefix(c.Name, "metadata-"); !caught[c.Name] && !shared {
			t.Errorf("no mutant for %s: %s", c.Name, c.Doc)
		}
	}
}
