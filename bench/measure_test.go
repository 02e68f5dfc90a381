//go:build unix

package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

// launchEnv makes this test binary run a command, and names the file that the
// cost goes to.
const launchEnv = "OBJREPL_BENCH_LAUNCH"

func TestMain(m *testing.M) {
	if report := os.Getenv(launchEnv); report != "" {
		os.Exit(launch(report, os.Args[1:]))
	}
	testutil.Main(m, testutil.ServerMinIO)
}

// A cost is what a process took, as the operating system says.
type cost struct {
	wall, cpu time.Duration
	peak      int64 // resident bytes at most; 0 where the system does not say
}

func (c cost) String() string {
	return fmt.Sprintf("wall %.2fs  cpu %.2fs  peak %.0f MiB", c.wall.Seconds(), c.cpu.Seconds(), c.mebibytes())
}

func (c cost) mebibytes() float64 { return float64(c.peak) / (1 << 20) }

// report adds a cost to what a benchmark prints.
func (c cost) report(b *testing.B, name string) {
	b.Helper()
	b.ReportMetric(c.wall.Seconds(), name+"-s")
	b.ReportMetric(c.cpu.Seconds(), name+"-cpu-s")
	b.ReportMetric(c.mebibytes(), name+"-MiB")
}

// measure runs a command, which was made with a context. An error has what the
// command printed.
//
// The peak that Linux reports of a process includes what its parent had
// resident when it was started: exec keeps the larger of both (exec_mmap in
// fs/exec.c). This process holds servers of a million objects, so it has a
// small one, this binary again, start the command.
func measure(tb testing.TB, cmd *exec.Cmd) (cost, error) {
	tb.Helper()
	self, err := os.Executable()
	require.NoError(tb, err)
	report := filepath.Join(tb.TempDir(), "cost")
	cmd.Path, cmd.Args = self, append([]string{self}, cmd.Args...)
	cmd.Env = append(slices.DeleteFunc(cmd.Environ(), tunesCollector), launchEnv+"="+report)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // which launch passes on
	var c cost
	if out, err := cmd.CombinedOutput(); err != nil {
		return c, fmt.Errorf("%w\n%s", err, out)
	}
	text, err := os.ReadFile(report)
	require.NoError(tb, err)
	_, err = fmt.Sscan(string(text), &c.wall, &c.cpu, &c.peak)
	require.NoError(tb, err)
	return c, nil
}

// mustMeasure is measure of a command that has to succeed.
func mustMeasure(tb testing.TB, cmd *exec.Cmd) cost {
	tb.Helper()
	c, err := measure(tb, cmd)
	require.NoError(tb, err)
	return c
}

// tunesCollector: what is measured is the command as it comes.
func tunesCollector(variable string) bool {
	return strings.HasPrefix(variable, "GOGC=") || strings.HasPrefix(variable, "GOMEMLIMIT=")
}

// launch runs a command with the streams of this process, and returns its exit
// code.
func launch(report string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, launchEnv+"=") })
	started := time.Now()
	err := cmd.Run()
	if cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	c := cost{wall: time.Since(started), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && runtime.GOOS == "linux" {
		c.peak = usage.Maxrss << 10
	}
	if err := os.WriteFile(report, fmt.Append(nil, int64(c.wall), int64(c.cpu), c.peak), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

func TestThePeakIsThatOfTheCommandAlone(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux says what a process had resident at most")
	}
	const mine = 192 << 20
	held := bytes.Repeat([]byte{1}, mine)
	c := mustMeasure(t, exec.CommandContext(t.Context(), "go", "version"))
	require.Positive(t, c.peak)
	require.Less(t, c.peak, int64(mine/2))
	require.Positive(t, c.wall)
	require.Positive(t, c.cpu)
	runtime.KeepAlive(held)
}
