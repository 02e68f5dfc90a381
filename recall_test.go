package replication

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What Sync runs without storing it is remembered, and can be asked for, like
// what is stored.
func TestPassesOfAPolicyThatIsNotStoredAreKnownByItsID(t *testing.T) {
	w := newWorld(t)
	ask := func(id string) (Status, []PassRecord, []DeadLetter, error) {
		t.Helper()
		status, err := w.r.Status(t.Context(), id)
		passes, err2 := w.r.History(t.Context(), id, 0)
		letters, err3 := w.r.Failures(t.Context(), id)
		require.Equal(t, err, err2)
		require.Equal(t, err, err3)
		return status, passes, letters, err
	}
	_, _, _, err := ask("p")
	require.ErrorIs(t, err, ErrPolicyNotFound, "no pass yet")
	w.put(w.source, "good", "1")
	w.put(w.source, "bad", "1")
	w.refusing("bad")
	_, err = w.r.Sync(t.Context(), w.policy)
	require.ErrorIs(t, err, ErrObjectsFailed)

	status, passes, letters, err := ask("p")
	require.NoError(t, err)
	require.EqualValues(t, 1, status.TotalObjectsSynced)
	require.Equal(t, 1, status.DeadLetters)
	require.Len(t, passes, 1)
	require.Equal(t, "bad", letters[0].Key)
	for _, other := range []string{"", "q", "P"} {
		_, _, _, err = ask(other)
		require.ErrorIs(t, err, ErrPolicyNotFound, other)
	}
	_, err = w.r.Policy("p")
	require.ErrorIs(t, err, ErrPolicyNotFound, "it is still not stored")

	w.destination.before = nil
	w.source.calls()
	res, err := w.r.ReplayOf(t.Context(), w.policy)
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Synced)
	require.NotContains(t, w.source.calls(), "list")
	_, passes, letters, err = ask("p")
	require.NoError(t, err)
	require.Empty(t, letters)
	require.True(t, passes[0].Replay)
}
