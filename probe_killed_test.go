package replication

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/durable"
)

func TestAPassSweepsWhatAKilledProcessLeftOfWritingAnswers(t *testing.T) {
	w, _ := newServerWorld(t)
	w.put(w.source, "a", "1")
	w.mustSync()
	name := filepath.Join(w.r.config.stateDir, w.probeState().name(durable.TempPrefix+"X"))
	require.NoError(t, os.WriteFile(name, []byte("{"), 0o600))
	w.mustSync()
	require.NoFileExists(t, name)
	require.FileExists(t, filepath.Join(w.r.config.stateDir, w.probeState().name(answersName)))
}
