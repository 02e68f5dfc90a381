package replication

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

const storeProcessEnv = "OBJREPL_TEST_POLICY_STORE"

// TestPolicyStoreProcess is no test but the other process of
// TestTwoProcessesLoseNoChange: it adds policies, updates a shared one and
// removes every second of its own.
func TestPolicyStoreProcess(t *testing.T) {
	name, dir := os.Getenv(storeProcessEnv), os.Getenv(storeProcessEnv+"_DIR")
	if name == "" {
		t.Skip("runs as a process of another test")
	}
	s := newTestStore(t, dir)
	ctx := context.Background()
	for i := range 12 {
		id := fmt.Sprintf("%s-%d", name, i)
		addPolicies(t, s, smallPolicy(id))
		if i%2 == 1 {
			require.NoError(t, s.remove(ctx, id))
		}
		// Each process counts in a field of its own, which the other keeps
		// only if it reads the file under the lock.
		for {
			require.NoError(t, s.load())
			p, err := s.get("shared")
			require.NoError(t, err)
			n, _ := strconv.Atoi(p.DestinationSettings[name])
			p.DestinationSettings[name] = strconv.Itoa(n + 1)
			p.Concurrency++
			_, err = s.update(ctx, p, func(next Policy) error {
				current, _, err := s.read()
				require.NoError(t, err)
				at, err := current.find("shared")
				require.NoError(t, err)
				if current.policies[at].Concurrency+1 != next.Concurrency {
					return errStale
				}
				return nil
			})
			if err == nil {
				break
			}
			require.ErrorIs(t, err, errStale)
		}
	}
}

var errStale = fmt.Errorf("changed in between")

func TestTwoProcessesLoseNoChange(t *testing.T) {
	dir := t.TempDir()
	s := newTestStore(t, dir)
	addPolicies(t, s, smallPolicy("shared"))
	names := []string{"left", "right"}
	var processes []*exec.Cmd
	for _, name := range names {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPolicyStoreProcess$")
		cmd.Env = append(os.Environ(), storeProcessEnv+"="+name, storeProcessEnv+"_DIR="+dir)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		processes = append(processes, cmd)
	}
	for _, cmd := range processes {
		require.NoError(t, cmd.Wait())
	}
	require.NoError(t, s.load())
	shared, err := s.get("shared")
	require.NoError(t, err)
	require.Equal(t, 24, shared.Concurrency)
	for _, name := range names {
		require.Equal(t, "12", shared.DestinationSettings[name])
		for i := range 12 {
			_, err := s.get(fmt.Sprintf("%s-%d", name, i))
			if i%2 == 1 {
				require.ErrorIs(t, err, ErrPolicyNotFound)
			} else {
				require.NoError(t, err)
			}
		}
	}
}
