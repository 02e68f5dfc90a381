package replication

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestAdviceIsGivenWhereTheDriverHasNone(t *testing.T) {
	for class, want := range map[error]string{
		backend.ErrInvalidKey: "exclude", backend.ErrInvalidMetadata: "metadata", backend.ErrThrottled: "concurrency",
		backend.ErrTooLarge: "exclude", backend.ErrNoSpace: "room", backend.ErrUnavailable: "", errors.ErrUnsupported: "",
	} {
		err := &backend.Error{Op: "put", Backend: "x", Key: "k", Err: fmt.Errorf("%w: no", class)}
		advice := adviceOn(err)
		require.Contains(t, advice, want, class)
		require.Equal(t, want == "", advice == "", class)
		err.Hint = "check this"
		require.Empty(t, adviceOn(err), class)
	}
}

// One key is throttled without end: it is asked for as often as the store wants,
// then fails alone and is told.
func TestAThrottledObjectFailsAloneAndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.r.again = defaultRetrier
		for _, key := range []string{"a", "b", "c"} {
			w.put(w.source, key, "v")
		}
		asked := 0
		w.destination.before = func(op, key string) error {
			if op != "put" || key != "b" {
				return nil
			}
			asked++
			return &backend.Error{Op: op, Backend: "memory", Key: key, Err: fmt.Errorf("%w: slow down", backend.ErrThrottled), RetryAfter: 30 * time.Second}
		}
		begin := time.Now()
		res, err := w.sync()
		require.ErrorIs(t, err, ErrObjectsFailed)
		require.ErrorIs(t, err, backend.ErrThrottled)
		for _, word := range []string{`policy "`, `put memory "b"`, "slow down", "lower the policy's concurrency"} {
			require.ErrorContains(t, err, word)
		}
		require.EqualValues(t, 1, res.Failed)
		require.EqualValues(t, 2, res.Synced)
		require.Equal(t, defaultRetrier.attempts, asked)
		require.Equal(t, time.Duration(asked-1)*30*time.Second, time.Since(begin))
	})
}
