package loop

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// start returns loops over gnet that the end of the test stops.
func start(t testing.TB, n int) *Group {
	t.Helper()
	g, err := New(Options{Loops: n})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := g.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return g
}

// serve accepts on loopback for g; next makes the handler and says the loop.
func serve(t testing.TB, next func() (*Loop, Handler), g *Group) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			l, h := next()
			g.Adopt(nc, l, h)
		}
	}()
	return ln.Addr().String()
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(60 * time.Second))
	t.Cleanup(func() { _ = nc.Close() })
	return nc
}

// funcs is a Handler of functions; nil ones do nothing.
type funcs struct {
	open   func(c *Conn)
	data   func(c *Conn, in []byte)
	flush  func(c *Conn)
	closed func(c *Conn, err error)
}

func (f *funcs) Open(c *Conn) {
	if f.open != nil {
		f.open(c)
	}
}
func (f *funcs) Data(c *Conn, in []byte) {
	if f.data != nil {
		f.data(c, in)
	}
}
func (f *funcs) Flush(c *Conn) {
	if f.flush != nil {
		f.flush(c)
	}
}
func (f *funcs) Closed(c *Conn, err error) {
	if f.closed != nil {
		f.closed(c, err)
	}
}

func echo(c *Conn, in []byte) { c.Write(in) }

func TestEcho(t *testing.T) {
	g := start(t, 2)
	closed := make(chan error, 1)
	h := &funcs{data: echo, closed: func(_ *Conn, err error) { closed <- err }}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return g.At(1), h }, g))
	msg := bytes.Repeat([]byte("0123456789"), 30_000)
	go func() { _, _ = nc.Write(msg) }()
	got := make([]byte, len(msg))
	if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, msg) {
		t.Fatalf("echo differs, err %v", err)
	}
	_ = nc.Close()
	if err := <-closed; err != io.EOF {
		t.Errorf("Closed got %v, want EOF", err)
	}
}

// mover echoes lines; behind the first it moves to the loop which that hashes to.
type mover struct {
	g    *Group
	rest []byte
	home *Loop
	done *atomic.Int64
}

func (m *mover) Open(*Conn) {}
func (m *mover) Data(c *Conn, in []byte) {
	m.rest = append(m.rest, in...)
	m.lines(c)
}

func (m *mover) lines(c *Conn) {
	for {
		i := bytes.IndexByte(m.rest, '\n')
		if i < 0 {
			return
		}
		line := m.rest[:i+1]
		if m.home == nil {
			m.home = m.g.ForBytes(line)
			c.Write(line)
			m.rest = m.rest[i+1:]
			if m.home != c.Loop() {
				m.done.Add(1)
			}
			c.Move(m.home, m.lines)
			return
		}
		if c.Loop() != m.home {
			panic("line on the wrong loop")
		}
		c.Write(line)
		m.rest = m.rest[i+1:]
	}
}
func (m *mover) Flush(*Conn)         {}
func (m *mover) Closed(*Conn, error) {}

func TestMoveUnderPipeliningKeepsEveryLineInOrder(t *testing.T) {
	const clients, lines = 2000, 50
	g := start(t, 4)
	var moved atomic.Int64
	var next atomic.Int64
	addr := serve(t, func() (*Loop, Handler) {
		return g.At(int(next.Add(1)) % 4), &mover{g: g, done: &moved}
	}, g)
	var wg sync.WaitGroup
	gate := make(chan struct{}, 200)
	for i := range clients {
		gate <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-gate; wg.Done() }()
			pipelines(t, addr, i, lines)
		}()
	}
	wg.Wait()
	if n := moved.Load(); n < clients/2 {
		t.Errorf("%d of %d clients moved, want about three in four", n, clients)
	}
}

// pipelines sends lines in three pieces, while the connection moves, and wants
// each back once and in order.
func pipelines(t *testing.T, addr string, id, lines int) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Error(err)
		return
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(60 * time.Second))
	var all bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&all, "client %d line %d\n", id, i)
	}
	b := all.Bytes()
	for _, cut := range [][]byte{b[:100], b[100:777], b[777:]} {
		_, _ = nc.Write(cut)
	}
	r := bufio.NewReader(nc)
	for i := range lines {
		want := fmt.Sprintf("client %d line %d\n", id, i)
		if got, err := r.ReadString('\n'); got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
			return
		}
	}
}

func TestPauseLeavesBytesInTheKernel(t *testing.T) {
	g := start(t, 1)
	l := g.At(0)
	var got atomic.Int64
	conn := make(chan *Conn, 1)
	h := &funcs{
		open: func(c *Conn) { c.Pause(); conn <- c },
		data: func(_ *Conn, in []byte) { got.Add(int64(len(in))) },
	}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return l, h }, g))
	c := <-conn
	_ = nc.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	n, err := io.Copy(nc, io.LimitReader(zeros{}, 64<<20))
	if err == nil {
		t.Fatalf("wrote %d bytes to a paused connection without blocking", n)
	}
	if got.Load() != 0 {
		t.Errorf("handler got %d bytes while paused", got.Load())
	}
	l.Post(c.Resume)
	_ = nc.Close()
	waitFor(t, "all bytes", func() bool { return got.Load() >= n })
}

func TestPauseHoldsAcrossADrainedBacklog(t *testing.T) {
	g := start(t, 1)
	l := g.At(0)
	var calls, empty atomic.Int64
	conn := make(chan *Conn, 1)
	h := &pressed{empty: &empty}
	h.open = func(c *Conn) { conn <- c }
	h.data = func(c *Conn, in []byte) { calls.Add(1) }
	nc := dial(t, serve(t, func() (*Loop, Handler) { return l, h }, g))
	c := <-conn
	big := make([]byte, 16<<20)
	l.Post(func() { c.Pause(); c.Write(big) })
	first := make([]byte, 1)
	_, _ = io.ReadFull(nc, first) // paused by now
	_, _ = nc.Write([]byte("waits"))
	if _, err := io.ReadFull(nc, make([]byte, len(big)-1)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "empty backlog", func() bool { return empty.Load() == 1 })
	if calls.Load() != 0 {
		t.Errorf("%d Data while paused", calls.Load())
	}
	l.Post(c.Resume)
	waitFor(t, "Data after Resume", func() bool { return calls.Load() == 1 })
}

func TestMoveWithABacklogWaitsAndReadsNothingMeanwhile(t *testing.T) {
	g := start(t, 2)
	var early atomic.Int64
	arrived := make(chan int, 1)
	conn := make(chan *Conn, 1)
	got := make(chan string, 100)
	h := &funcs{
		open: func(c *Conn) { conn <- c },
		data: func(c *Conn, in []byte) {
			if c.Loop() == g.At(0) {
				early.Add(1)
			}
			got <- string(in)
		},
	}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return g.At(0), h }, g))
	c := <-conn
	const size = 16 << 20
	g.At(0).Post(func() {
		c.Move(g.At(1), func(c *Conn) { arrived <- c.Loop().Index })
		c.Write(make([]byte, size))
	})
	if _, err := io.ReadFull(nc, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	for range 100 {
		_, _ = nc.Write([]byte("0123456789"))
	}
	if _, err := io.ReadFull(nc, make([]byte, size-1)); err != nil {
		t.Fatal(err)
	}
	if i := <-arrived; i != 1 {
		t.Errorf("arrived at loop %d", i)
	}
	all := ""
	for len(all) < 1000 {
		all += <-got
	}
	if want := strings.Repeat("0123456789", 100); all != want || early.Load() != 0 {
		t.Errorf("bytes differ: %v; %d Data on the old loop", all != want, early.Load())
	}
}

// pressed counts how often the backlog was told to be empty.
type pressed struct {
	funcs
	empty *atomic.Int64
}

func (p *pressed) Pressed(c *Conn) {
	if c.Backlog() == 0 {
		p.empty.Add(1)
	}
}

func TestResetWhilePausedIsSeen(t *testing.T) {
	g := start(t, 1)
	closed := make(chan error, 1)
	opened := make(chan bool, 1)
	h := &funcs{
		open:   func(c *Conn) { c.Pause(); opened <- true },
		closed: func(_ *Conn, err error) { closed <- err },
	}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return g.At(0), h }, g))
	<-opened
	_ = nc.(*net.TCPConn).SetLinger(0)
	_ = nc.Close()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("a reset of a paused connection was not noticed")
	}
}

func TestFanInFromAllLoopsKeepsOrder(t *testing.T) {
	const each = 20_000
	g := start(t, 4)
	sink := g.At(0)
	next := make([]uint32, 4)
	var done atomic.Int64
	sink.Receive = func(p *Packet) {
		if p.N != next[p.Kind] {
			t.Errorf("from loop %d: got %d, want %d", p.Kind, p.N, next[p.Kind])
		}
		next[p.Kind]++
		p.Release()
		done.Add(1)
	}
	for i := range 4 {
		l := g.At(i)
		for n := uint32(0); n < each; n += 100 {
			l.Post(func() {
				for k := range uint32(100) {
					p := NewPacket()
					p.Kind, p.N = uint8(l.Index), n+k
					l.Send(sink, p)
				}
			})
		}
	}
	waitFor(t, "all packets", func() bool { return done.Load() == 4*each })
}

func TestRealTimersAndIdleLoopSleeps(t *testing.T) {
	g := start(t, 1)
	l := g.At(0)
	fired := make(chan time.Duration, 1)
	l.Post(func() {
		set := time.Now()
		l.Set(&Timer{Owner: Func(func() { fired <- time.Since(set) })}, 300*time.Millisecond)
	})
	if d := <-fired; d < 300*time.Millisecond || d > 10*time.Second { // how late it is, is the machine's business
		t.Errorf("a timer of 300ms fired after %v", d)
	}
	before := l.Stats().Turns
	time.Sleep(time.Second)
	if n := l.Stats().Turns - before; n > 1 {
		t.Errorf("an idle loop turned %d times in a second, want at most 1", n)
	}
}

func TestBeatTellsAStuckLoop(t *testing.T) {
	g := start(t, 2)
	stuck := make(chan struct{})
	g.At(1).Post(func() { <-stuck })
	g.Beat()
	time.Sleep(50 * time.Millisecond)
	owed := g.Beat()
	if owed[0] != 0 || owed[1] < 50*time.Millisecond {
		t.Errorf("loops owe %v, want 0 and at least 50ms", owed)
	}
	close(stuck)
	waitFor(t, "beat", func() bool { return g.Beat()[1] == 0 })
}

func TestWorkRunsOffTheLoopAndDoneOnIt(t *testing.T) {
	g := start(t, 1)
	l := g.At(0)
	release, done := make(chan struct{}), make(chan int)
	var turned atomic.Bool
	l.Post(func() {
		state := 0 // the race detector sees if done does not run on the loop
		l.Work(func() { <-release }, func() { state++; go func() { done <- 1 }() })
		l.Post(func() { state++; turned.Store(true) })
	})
	waitFor(t, "a turn while the work waits", turned.Load)
	close(release)
	<-done
}

func TestStopEndsConnectionsAndIsIdempotent(t *testing.T) {
	g := start(t, 2)
	closed := make(chan error, 1)
	opened := make(chan bool, 1)
	h := &funcs{open: func(*Conn) { opened <- true }, closed: func(_ *Conn, err error) { closed <- err }}
	dial(t, serve(t, func() (*Loop, Handler) { return g.At(0), h }, g))
	<-opened
	if err := g.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err != nil {
		t.Errorf("Closed got %v, want nil", err)
	}
	g.At(0).Post(func() { t.Error("a function ran after Stop") })
	if err := g.Stop(t.Context()); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}

func TestMailWithoutEndDoesNotKeepSocketsOut(t *testing.T) {
	g := start(t, 2)
	var stop atomic.Bool
	defer stop.Store(true)
	for i := range 2 {
		l, to := g.At(i), g.At(1-i)
		var again func()
		again = func() {
			if !stop.Load() {
				l.Post(again)
				l.Send(to, NewPacket())
			}
		}
		l.Post(again)
	}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return g.At(0), &funcs{data: echo} }, g))
	for range 100 {
		began := time.Now()
		_, _ = nc.Write([]byte("x"))
		if _, err := io.ReadFull(nc, make([]byte, 1)); err != nil || time.Since(began) > 2*time.Second {
			t.Fatalf("echo after %v, err %v", time.Since(began), err)
		}
	}
}

// TestUrgentDataDoesNotSpinTheLoop: gnet polls for EPOLLPRI too, which stays
// set as long as nobody reads past the urgent byte.
func TestUrgentDataDoesNotSpinTheLoop(t *testing.T) {
	g := start(t, 1)
	var got atomic.Int64
	h := &funcs{data: func(_ *Conn, in []byte) { got.Add(int64(len(in))) }}
	nc := dial(t, serve(t, func() (*Loop, Handler) { return g.At(0), h }, g))
	_, _ = nc.Write([]byte("before"))
	waitFor(t, "bytes", func() bool { return got.Load() == 6 })
	cpu := cpuTime(t)
	rc, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = rc.Control(func(fd uintptr) {
		if err := unix.Sendto(int(fd), []byte("!"), unix.MSG_OOB, nil); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(500 * time.Millisecond)
	if used := cpuTime(t) - cpu; used > 200*time.Millisecond {
		t.Errorf("%v of CPU in half a second after an urgent byte", used)
	}
	_, _ = nc.Write([]byte("after"))
	waitFor(t, "bytes after it", func() bool { return got.Load() >= 11 })
}

func cpuTime(t *testing.T) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestSlowTurnsAreCountedAndTold(t *testing.T) {
	told := make(chan time.Duration, 1)
	g, err := New(Options{Loops: 1, OnSlowTurn: func(_ int, d time.Duration) { told <- d }})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Stop(t.Context())
	l := g.At(0)
	l.Post(func() { time.Sleep(20 * time.Millisecond) })
	waitFor(t, "a slow turn", func() bool { return l.Stats().SlowTurns == 1 })
	l.Post(func() { time.Sleep(120 * time.Millisecond) })
	if d := <-told; d < 120*time.Millisecond {
		t.Errorf("told of %v, want at least 120ms", d)
	}
}
