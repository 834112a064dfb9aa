package wire

import (
	"bytes"
	ctls "crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"meerkat/engine/loop"
)

// echoer is an Upper that echoes, and moves to a loop by the first line.
type echoer struct {
	g      *loop.Group
	move   bool
	closed *atomic.Int64
	open   chan *Conn
	end    chan error
}

func (e *echoer) Opened(w *Conn) {
	if e.open != nil {
		e.open <- w
	}
}
func (e *echoer) Bytes(w *Conn, in []byte) int {
	i := bytes.IndexByte(in, '\n')
	if !e.move || i < 0 {
		w.Write(in)
		return len(in)
	}
	e.move = false
	w.Write(in[:i+1])
	w.Move(e.g.ForBytes(in[:i]), func() { w.Authenticated() })
	return i + 1
}
func (e *echoer) Flush(*Conn)   {}
func (e *echoer) Secured(*Conn) {}
func (e *echoer) Closed(_ *Conn, err error) {
	if e.closed != nil {
		e.closed.Add(1)
	}
	if e.end != nil {
		e.end <- err
	}
}

func TestConnectionsAreSpreadRoundRobin(t *testing.T) {
	g, s := real(t, 3, Options{})
	addr := listen(t, s, ListenOptions{New: func() Upper { return &echoer{} }})
	for range 9 {
		say(t, dial(t, addr), "x")
	}
	for i := range 3 {
		waitFor(t, "three connections on each loop", func() bool { return g.At(i).Stats().Conns == 3 })
	}
}

func TestLimitOfUnauthenticatedPerAddress(t *testing.T) {
	_, s := real(t, 1, Options{PerAddress: 3})
	open := make(chan *Conn, 9)
	addr := listen(t, s, ListenOptions{New: func() Upper { return &echoer{open: open} }})
	var in []net.Conn
	for range 3 {
		nc := dial(t, addr)
		say(t, nc, "x")
		in = append(in, nc)
	}
	before := rejected.Value(int(tooManyOfAddress))
	isRefused(t, addr)
	if n := rejected.Value(int(tooManyOfAddress)) - before; n != 1 {
		t.Errorf("%d refusals counted, want 1", n)
	}
	_ = in[0].Close() // one that goes makes room
	waitFor(t, "room", func() bool { return s.gate.inAll() == 2 })
	say(t, dial(t, addr), "y")
	done := make(chan bool)
	<-open
	w := <-open // and so does one that logs in
	w.Loop().Post(func() { w.Authenticated(); w.Authenticated(); close(done) })
	<-done
	say(t, dial(t, addr), "z")
}

func isRefused(t *testing.T, addr string) {
	t.Helper()
	nc := dial(t, addr)
	if n, err := nc.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d, %v from a connection that should have been refused", n, err)
	}
}

func TestGateCountsByNetworkAndInAll(t *testing.T) {
	g := newGate(2, 3)
	in := func(a string, want verdict) {
		t.Helper()
		if got := g.enter(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: got %d, want %d", a, got, want)
		}
	}
	in("2001:db8::1", letIn)
	in("2001:db8::ffff:1", letIn)
	in("2001:db8::2", tooManyOfAddress)
	in("2001:db8:0:1::2", letIn)
	in("192.0.2.1", tooMany)
	g.leave(netip.MustParseAddr("2001:db8::3"), nil)
	in("::ffff:192.0.2.1", letIn)
	g.leave(netip.MustParseAddr("192.0.2.1"), nil)
	g.leave(netip.MustParseAddr("2001:db8::9"), nil)
	g.leave(netip.MustParseAddr("2001:db8:0:1::9"), nil)
	if len(g.count) != 0 || g.total != 0 {
		t.Errorf("after all left: %v, total %d", g.count, g.total)
	}
}

// failing is a listener that fails a while, as one does without descriptors.
type failing struct {
	net.Listener
	fails atomic.Int64
	calls atomic.Int64
}

func (f *failing) Accept() (net.Conn, error) {
	f.calls.Add(1)
	if f.fails.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return f.Listener.Accept()
}

func TestAcceptRestsWithoutDescriptorsLogsOnceAndRecovers(t *testing.T) {
	var log lockedBuffer
	_, s := real(t, 1, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ln, err := Bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Listener: ln}
	f.fails.Store(4)
	began := time.Now()
	l := s.Listen(f, ListenOptions{New: func() Upper { return &echoer{} }})
	defer l.Close()
	say(t, dial(t, l.Addr().String()), "x")
	if d := time.Since(began); d < 4*acceptPause || f.calls.Load() > 7 {
		t.Errorf("recovered after %v and %d calls, want at least %v and about 5", d, f.calls.Load(), 4*acceptPause)
	}
	if n := strings.Count(log.String(), "LimitNOFILE"); n != 1 {
		t.Errorf("%d lines logged, want 1:\n%s", n, log.String())
	}
}

func TestCloseOfAListenerThatRestsDoesNotHang(t *testing.T) {
	_, s := real(t, 1, Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ln, err := Bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Listener: ln}
	f.fails.Store(1 << 40)
	l := s.Listen(f, ListenOptions{})
	waitFor(t, "a failed accept", func() bool { return f.calls.Load() > 0 })
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v, want ErrClosed", err)
	}
}

// lockedBuffer is a log to read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestMoveUnderTLSKeepsEveryLineInOrder(t *testing.T) {
	const clients, lines = 150, 50
	g, s := real(t, 4, Options{PerAddress: clients})
	addr := listen(t, s, ListenOptions{DirectTLS: true, New: func() Upper { return &echoer{g: g, move: true} }})
	var wg sync.WaitGroup
	gate := make(chan struct{}, 50)
	for id := range clients {
		gate <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-gate; wg.Done() }()
			if err := pipeline(addr, id, lines); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
}

func pipeline(addr string, id, lines int) error {
	nc, err := ctls.Dial("tcp", addr, clientConfig)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(60 * time.Second))
	var all bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&all, "client %d line %d\n", id, i)
	}
	b := all.Bytes()
	for _, cut := range [][]byte{b[:100], b[100:777], b[777:]} {
		if _, err := nc.Write(cut); err != nil {
			return err
		}
	}
	got := make([]byte, len(b))
	if n, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, b) {
		return fmt.Errorf("client %d: %d of %d bytes, err %v, equal %v", id, n, len(b), err, bytes.Equal(got, b))
	}
	return nil
}

// wanderer is an Upper that echoes and is never at rest.
type wanderer struct {
	echoer
	n int
}

func (v *wanderer) Bytes(w *Conn, in []byte) int {
	v.n++
	n := min(len(in), 1+v.n*7919%len(in))
	w.Write(in[:n])
	switch v.n % 4 {
	case 0:
		return n + v.echoer.Bytes(w, in[n:])
	case 1:
		w.Yield()
	case 2:
		w.Pause()
		w.Loop().Post(w.Resume)
	case 3:
		w.Move(v.g.At((w.Loop().Index+v.n)%v.g.Len()), func() {})
	}
	return n
}

func TestWanderersLoseNothingAndResetsHurtNobody(t *testing.T) {
	const clients = 100
	var closed atomic.Int64
	g, s := real(t, 4, Options{PerAddress: 10 * clients})
	up := func() Upper { return &wanderer{echoer: echoer{g: g, closed: &closed}} }
	plain := listen(t, s, ListenOptions{New: up})
	direct := listen(t, s, ListenOptions{DirectTLS: true, New: up})
	var wg sync.WaitGroup
	for id := range clients {
		wg.Add(2)
		go func() {
			defer wg.Done()
			if err := pipeline(direct, id, 100); err != nil {
				t.Error(err)
			}
		}()
		go func() {
			defer wg.Done()
			nc, err := net.Dial("tcp", plain)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = nc.Write(make([]byte, 50_000))
			_, _ = nc.Read(make([]byte, id*100+1))
			_ = nc.(*net.TCPConn).SetLinger(0)
			_ = nc.Close()
		}()
	}
	wg.Wait()
	waitFor(t, "all closed", func() bool { return closed.Load() == 2*clients })
	waitFor(t, "no connection left", func() bool {
		var n int64
		for i := range g.Len() {
			n += g.At(i).Stats().Conns
		}
		return n == 0
	})
}

func TestSlowReaderIsClosedAndOthersGoOn(t *testing.T) {
	_, s := real(t, 1, Options{})
	open, end := make(chan *Conn, 2), make(chan error, 2)
	addr := listen(t, s, ListenOptions{New: func() Upper { return &echoer{open: open, end: end} }})
	stuck := dial(t, addr)
	_ = stuck.(*net.TCPConn).SetReadBuffer(4096)
	w := <-open
	var push func()
	push = func() {
		w.Write(make([]byte, 32<<10)) // does nothing once closed
		w.Loop().Post(push)
	}
	w.Loop().Post(push)
	other := dial(t, addr)
	for range 200 {
		began := time.Now()
		say(t, other, "ping")
		if d := time.Since(began); d > 2*time.Second {
			t.Fatalf("another's ping took %v", d)
		}
	}
	select {
	case err := <-end:
		if err != ErrSlow {
			t.Errorf("closed with %v, want ErrSlow", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the slow client is not closed")
	}
}

func TestChurnGivesEverythingBack(t *testing.T) {
	g, s := real(t, 2, Options{PerAddress: 200})
	var closed atomic.Int64
	plain := listen(t, s, ListenOptions{New: func() Upper { return &echoer{g: g, move: true, closed: &closed} }})
	direct := listen(t, s, ListenOptions{DirectTLS: true, New: func() Upper { return &echoer{g: g, move: true, closed: &closed} }})
	round := func(n int) {
		closed.Store(0)
		churn(t, plain, direct, n)
		waitFor(t, "all closed", func() bool { return closed.Load() == int64(2*n) })
	}
	round(100)
	files, heap := openFiles(t), heapInUse()
	for range 4 {
		round(100)
	}
	if got := openFiles(t); got > files+4 {
		t.Errorf("%d descriptors, before the churn %d", got, files)
	}
	if got := heapInUse(); got > heap+heap/4+1<<20 {
		t.Errorf("%d bytes of heap, before the churn %d", got, heap)
	}
	if n := s.gate.inAll(); n != 0 {
		t.Errorf("the gate still counts %d connections", n)
	}
}

// churn makes n connections of each kind, half of which break off rudely.
func churn(t *testing.T, plain, direct string, n int) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Add(2)
		go func() {
			defer wg.Done()
			nc, err := net.Dial("tcp", plain)
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			if i%2 == 0 {
				_ = nc.(*net.TCPConn).SetLinger(0)
			}
			_, _ = fmt.Fprintf(nc, "client %d\n", i)
			_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
			_, _ = nc.Read(make([]byte, 8))
		}()
		go func() {
			defer wg.Done()
			if err := pipeline(direct, i, 60); err != nil {
				t.Error(err)
			}
		}()
		if i%50 == 49 {
			wg.Wait()
		}
	}
	wg.Wait()
}

func openFiles(t *testing.T) int {
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestMuchBehindTheHandshakeArrives(t *testing.T) {
	_, s := real(t, 1, Options{})
	addr := listen(t, s, ListenOptions{DirectTLS: true, New: func() Upper { return &echoer{} }})
	for _, version := range []uint16{ctls.VersionTLS12, ctls.VersionTLS13} {
		cfg := clientConfig.Clone()
		cfg.MinVersion, cfg.MaxVersion = version, version
		nc, err := ctls.Dial("tcp", addr, cfg)
		if err != nil {
			t.Fatal(err)
		}
		_ = nc.SetDeadline(time.Now().Add(60 * time.Second))
		msg := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
		go func() { _, _ = nc.Write(msg) }()
		got := make([]byte, len(msg))
		if n, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, msg) {
			t.Errorf("version %x: %d of %d bytes, err %v", version, n, len(msg), err)
		}
		_ = nc.Close()
	}
}

func TestHalfOpenHandshakesDoNotDelayOthers(t *testing.T) {
	const half = 1000
	_, s := real(t, 2, Options{PerAddress: 2 * half})
	addr := listen(t, s, ListenOptions{DirectTLS: true, New: func() Upper { return &echoer{} }})
	goroutines := runtime.NumGoroutine()
	for i := range half {
		nc := dial(t, addr)
		switch i % 3 { // silent, half a ClientHello, slow after its head
		case 1:
			_, _ = nc.Write([]byte{22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3})
		case 2:
			_, _ = nc.Write([]byte{22, 3})
		}
	}
	waitFor(t, "all half-open", func() bool { return s.gate.inAll() == half })
	began := time.Now()
	if err := pipeline(addr, 1, 50); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("a login behind %d half-open handshakes took %v", half, d)
	}
	waitFor(t, "goroutines to go", func() bool { return runtime.NumGoroutine() <= goroutines+20 })
}

// Who only holds seats makes room for others, the oldest first; who has just come
// does not have to.
func TestThoseWhoDallyMakeRoom(t *testing.T) {
	const seats = 200
	_, s := real(t, 2, Options{PerAddress: 2 * seats, Unauthenticated: seats})
	addr := listen(t, s, ListenOptions{DirectTLS: true, New: func() Upper { return &echoer{} }})
	for range seats {
		nc := dial(t, addr)
		_, _ = nc.Write([]byte{22, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3})
	}
	waitFor(t, "all half-open", func() bool { return s.gate.inAll() == seats })
	isRefused(t, addr)
	s.gate.mu.Lock()
	for e := s.gate.queue.Front(); e != nil; e = e.Next() {
		e.Value.(*seat).since = time.Now().Add(-grace)
	}
	s.gate.mu.Unlock()
	if err := pipeline(addr, 1, 50); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "those to go who had to", func() bool { return s.gate.inAll() <= seats })
	s.gate.mu.Lock()
	defer s.gate.mu.Unlock()
	if n := s.gate.queue.Len(); n != len(s.gate.seats) || n != s.gate.total {
		t.Errorf("%d in the queue, %d seats, %d counted", n, len(s.gate.seats), s.gate.total)
	}
}
