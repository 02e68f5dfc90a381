package testutil

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const orphanEnv = "OBJREPL_TESTUTIL_ORPHAN"

// startOrphan is the life of a test process that is killed: it starts a server in
// the directory the variable names, prints the server's pid, and waits to be
// killed.
func startOrphan() {
	srv, err := startServer(minioSpec, os.Getenv(orphanEnv), nil)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(srv.PID())
	select {}
}

func TestServerDiesWithATestProcessThatIsKilled(t *testing.T) {
	if _, err := serverBinary(ServerMinIO); err != nil {
		giveUp(t, &unavailableError{err})
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), orphanEnv+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait() // says that it was killed

	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err, "the child said %q", line)
	if !assert.Eventually(t, func() bool { return !running(pid) }, 10*time.Second, 10*time.Millisecond) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// running tells whether pid is a process that has not ended; one that no parent
// has reaped yet has.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return !bytes.HasPrefix(rest, []byte("Z"))
}
