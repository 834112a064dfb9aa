package proc

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The CPU clock of a process moves by what the process works.
func TestCPUCountsWork(t *testing.T) {
	var before, after unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &before)
	a, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
	}
	b, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	unix.Getrusage(unix.RUSAGE_SELF, &after)
	want := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	if got := b - a; got < want-20*time.Millisecond || got > want+20*time.Millisecond || got <= 0 {
		t.Errorf("worked for %v, getrusage says %v", got, want)
	}
}

func TestMemoryCountsPages(t *testing.T) {
	before, err := Memory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	b, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(b)
	after, err := Memory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if got := after.RSS - before.RSS; got < 60<<20 || got > 80<<20 {
		t.Errorf("RSS grew by %d bytes for 64 MiB", got)
	}
}

func TestChildIsStopped(t *testing.T) {
	c, err := Start(false, "", "/bin/sh", "-c", "echo here >&2; exec sleep 60")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); c.Log() != "here"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("log %q, want here", c.Log())
		}
	}
	began := time.Now()
	c.Stop(5 * time.Second)
	if _, err := CPU(c.PID); err == nil || time.Since(began) > 4*time.Second {
		t.Errorf("after %v the child is there: %v", time.Since(began), err)
	}
}

func TestListeningSaysWhyNot(t *testing.T) {
	c, err := Start(false, "", "/bin/sh", "-c", "echo the port is used; exit 3")
	if err != nil {
		t.Fatal(err)
	}
	err = c.Listening("127.0.0.1:1", 5*time.Second)
	if err == nil || !strings.Contains(err.Error(), "the port is used") {
		t.Errorf("error %v, want what the child said", err)
	}
}

func TestBusyIsLessThanAll(t *testing.T) {
	used, all, err := Busy()
	if err != nil || used <= 0 || used > all {
		t.Errorf("used %v of %v, %v", used, all, err)
	}
	if free, err := Free(); err != nil || free <= 0 {
		t.Errorf("%d bytes free, %v", free, err)
	}
}

// A thousand sockets weigh at least what a struct sock and its inode do.
func TestKernelCountsSockets(t *testing.T) {
	before, err := Kernel()
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	for range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	after, err := Kernel()
	if err != nil {
		t.Fatal(err)
	}
	if each := (after - before) / n; each < 1000 || each > 20000 {
		t.Errorf("%d bytes of the kernel a socket", each)
	}
}
