package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Child is a process that this one has started.
type Child struct {
	PID    int
	Stdin  io.WriteCloser
	Stdout io.Reader // if it was asked for; else it goes to the log
	cmd    *exec.Cmd
	log    tail
	ended  chan struct{}
}

// Start runs a command line without a shell. The child is told to end when
// this process does, however that happens.
func Start(pipe bool, dir, path string, args ...string) (*Child, error) {
	c := &Child{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	c.cmd.Dir = dir
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.cmd.Stderr = &c.log
	var err error
	if pipe {
		c.Stdout, err = c.cmd.StdoutPipe()
	} else {
		c.cmd.Stdout = &c.log
	}
	if err == nil {
		c.Stdin, err = c.cmd.StdinPipe()
	}
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("proc: start %s: %w", path, err)
	}
	c.PID = c.cmd.Process.Pid
	if !pipe { // else Wait would close what is still being read
		go c.wait()
	}
	return c, nil
}

func (c *Child) wait() {
	c.cmd.Wait() // how it ended is in cmd.ProcessState
	close(c.ended)
}

// Stop asks the child to end, and makes it after d.
func (c *Child) Stop(d time.Duration) {
	c.Stdin.Close()
	c.cmd.Process.Signal(os.Interrupt)
	if c.Stdout != nil {
		go io.Copy(io.Discard, c.Stdout)
		go c.wait()
	}
	select {
	case <-c.ended:
	case <-time.After(d):
		c.cmd.Process.Kill()
		<-c.ended
	}
}

// Log is the end of what the child has written.
func (c *Child) Log() string { return c.log.String() }

// Ended is closed when the child is gone; only for one without a pipe.
func (c *Child) Ended() <-chan struct{} { return c.ended }

// Listening waits until something accepts at addr, at most for d.
func (c *Child) Listening(addr string, d time.Duration) error {
	for end := time.Now().Add(d); ; time.Sleep(20 * time.Millisecond) {
		nc, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return nc.Close()
		}
		select {
		case <-c.ended:
			return fmt.Errorf("proc: %s ended: %v\n%s", c.cmd.Path, c.cmd.ProcessState, c.Log())
		default:
		}
		if time.Now().After(end) {
			return errors.Join(fmt.Errorf("proc: %s does not listen at %s after %v:\n%s", c.cmd.Path, addr, d, c.Log()), err)
		}
	}
}

// tail keeps the last lines written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - 8<<10; over > 0 {
		t.b = bytes.Clone(t.b[over:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.b))
}
