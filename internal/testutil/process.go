package testutil

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// outputLimit bounds what is kept of one server's output, in bytes.
const outputLimit = 64 << 10

// process is a running child. It is killed and reaped by kill or terminate, and
// on Linux also dies with this process, however that ends.
type process struct {
	cmd    *exec.Cmd
	output *tail
	done   chan struct{} // closed when the child has been reaped
}

// startProcess starts cmd. The goroutine that starts it keeps its OS thread until
// the child has ended, because dieWithParent is about that thread.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, output: newTail(outputLimit), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	cmd.WaitDelay = 5 * time.Second
	dieWithParent(cmd)
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			// How it ended is in cmd.ProcessState.
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		<-p.done
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// exited tells whether the child has ended and been reaped.
func (p *process) exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill ends the child at once, as a crash would, and waits until it is reaped.
func (p *process) kill() {
	// An error means that it has ended already.
	_ = p.cmd.Process.Kill()
	<-p.done
}

// terminate asks the child to end and waits; one that takes longer than grace, or
// cannot be asked on this platform, is killed.
func (p *process) terminate(grace time.Duration) {
	if runtime.GOOS == "windows" || p.signal(syscall.SIGTERM) != nil {
		p.kill()
		return
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.kill()
	}
}

func (p *process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }
