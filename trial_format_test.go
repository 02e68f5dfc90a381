package replication

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// docs/FORMAT.md specifies the journal of trials.
func TestTheJournalOfTrialsIsWrittenAsSpecified(t *testing.T) {
	state := probeState{mustRoot(t, t.TempDir()), "s3://host/bucket"}
	require.NoError(t, state.root.MkdirAll(state.name(""), 0o700))
	j := &trialJournal{state: state}
	left, err := j.load()
	require.NoError(t, err)
	require.Empty(t, left)
	const prefix = "p/.objrepl-probe-ABCDEFGHIJKLMNOPQRSTUVWXYZ/"
	require.NoError(t, j.begin(prefix))
	require.NoError(t, j.upload(leftover{Key: prefix + "large"}))
	const golden = `{
  "version": 1,
  "location": "s3://host/bucket",
  "prefixes": [
    "p/.objrepl-probe-ABCDEFGHIJKLMNOPQRSTUVWXYZ/"
  ],
  "uploads": [
    {
      "key": "p/.objrepl-probe-ABCDEFGHIJKLMNOPQRSTUVWXYZ/large"
    }
  ]
}
`
	data, err := state.root.ReadFile(state.name(trialsName))
	require.NoError(t, err)
	require.Equal(t, golden, string(data))
	left, err = (&trialJournal{state: state}).load()
	require.NoError(t, err)
	require.Equal(t, []string{prefix}, left)

	for name, content := range map[string]string{"damaged": golden[:40], "of a later version": `{"version": 2}`} {
		require.NoError(t, state.root.WriteFile(state.name(trialsName), []byte(content), 0o600))
		_, err := (&trialJournal{state: state}).load()
		require.Error(t, err, "one that is %s says what may be left, and is not written over", name)
	}
}
