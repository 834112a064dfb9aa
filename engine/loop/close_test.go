package loop

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestCloseSendsAllThenEndsAndWaitsForTheOther(t *testing.T) {
	g := start(t, 1)
	const size = 8 << 20
	closed := make(chan error, 1)
	h := &funcs{
		data:   func(c *Conn, _ []byte) { c.Write(make([]byte, size)); c.Close() },
		closed: func(_ *Conn, err error) { closed <- err },
	}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return g.At(0), h }, g))
	_, _ = nc.Write([]byte("x"))
	if n, err := io.Copy(io.Discard, nc); n != size || err != nil {
		t.Errorf("read %d bytes, %v; want %d and a clean end", n, err, size)
	}
	_, _ = nc.Write([]byte("is thrown away"))
	select {
	case err := <-closed:
		t.Errorf("closed with %v before the other side ended", err)
	case <-time.After(200 * time.Millisecond):
	}
	_ = nc.Close()
	if err := <-closed; err != nil {
		t.Errorf("closed with %v, want nil", err)
	}
}

func TestAbortWithABacklogResets(t *testing.T) {
	g := start(t, 1)
	closed := make(chan error, 1)
	h := &funcs{
		data:   func(c *Conn, _ []byte) { c.Write(make([]byte, 32<<20)); c.Abort(); c.Write([]byte("lost")) },
		closed: func(_ *Conn, err error) { closed <- err },
	}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return g.At(0), h }, g))
	_, _ = nc.Write([]byte("x"))
	if err := <-closed; err != nil {
		t.Errorf("closed with %v, want nil", err)
	}
	if _, err := io.Copy(io.Discard, nc); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the other side read to %v, want a reset", err)
	}
}

func TestWriteToADeadSocketTellsClosedLater(t *testing.T) {
	g := start(t, 1)
	conn, closed := make(chan *Conn, 1), make(chan error, 1)
	var inside atomic.Bool
	h := &funcs{
		open: func(c *Conn) { c.Pause(); conn <- c },
		closed: func(_ *Conn, err error) {
			if inside.Load() {
				t.Error("Closed came from inside Write")
			}
			closed <- err
		},
	}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return g.At(0), h }, g))
	c := <-conn
	g.At(0).Post(func() {
		_ = nc.(*net.TCPConn).SetLinger(0)
		_ = nc.Close()
		inside.Store(true)
		for range 10 {
			c.Write([]byte("x"))
		}
		inside.Store(false)
	})
	if err := <-closed; err == nil {
		t.Error("closed without an error")
	}
}

func TestAddresses(t *testing.T) {
	g := start(t, 1)
	type pair struct{ remote, local netip.AddrPort }
	got := make(chan pair, 1)
	h := &funcs{open: func(c *Conn) { got <- pair{c.Remote(), c.Local()} }}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return g.At(0), h }, g))
	p := <-got
	if p.remote.String() != nc.LocalAddr().String() || p.local.String() != nc.RemoteAddr().String() {
		t.Errorf("conn says %v and %v, the other side %v and %v", p.remote, p.local, nc.LocalAddr(), nc.RemoteAddr())
	}
}

func TestSocketThatCannotBeTakenIsClosedWithoutOpen(t *testing.T) {
	g := start(t, 1)
	nc, other, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	closed := make(chan error, 1)
	h := &funcs{open: func(*Conn) { t.Error("opened") }, closed: func(_ *Conn, err error) { closed <- err }}
	g.Adopt(&notSocket{Conn: nc}, g.At(0), h)
	if err := <-closed; err == nil {
		t.Error("closed without an error")
	}
	waitFor(t, "count", func() bool { return g.At(0).Stats().Conns == 0 })
}

// notSocket hides what net.Conn it is.
type notSocket struct{ net.Conn }

func TestAdoptAfterStopClosesTheSocket(t *testing.T) {
	g, err := New(Options{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	a, b, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	g.Adopt(a, g.At(0), &funcs{open: func(*Conn) { t.Error("opened") }})
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the other side read %v, want EOF", err)
	}
}

func TestUnixSocketsAreTakenToo(t *testing.T) {
	g := start(t, 1)
	a, b, err := socketPair()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	g.Adopt(a, g.At(0), &funcs{data: echo})
	_, _ = b.Write([]byte("x"))
	if _, err := io.ReadFull(b, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestStoppedLoopsLeaveNoDescriptors(t *testing.T) {
	count := func() int {
		fds, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(fds)
	}
	once := func() {
		g, err := New(Options{Loops: 3})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	once()
	before := count()
	for range 5 {
		once()
	}
	if after := count(); after > before {
		t.Errorf("%d descriptors, before %d", after, before)
	}
}
