package tls

import (
	"bytes"
	ctls "crypto/tls"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// stepConn is a client's transport without a socket: what it writes is kept for
// the test, and a Read that finds nothing tells so before it waits.
type stepConn struct {
	net.Conn
	mu     sync.Mutex
	cond   *sync.Cond
	in     bytes.Buffer
	out    []byte
	idle   bool
	closed bool
}

func newStepConn() *stepConn {
	c := &stepConn{}
	c.cond = sync.NewCond(&c.mu)
	return c
}

func (c *stepConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.in.Len() == 0 {
		if c.closed {
			return 0, io.EOF
		}
		c.idle = true
		c.cond.Broadcast()
		c.cond.Wait()
	}
	return c.in.Read(p)
}

func (c *stepConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = append(c.out, p...)
	return len(p), nil
}

func (c *stepConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.cond.Broadcast()
	return nil
}

func (c *stepConn) SetWriteDeadline(time.Time) error { return nil }

// step gives in to the reader and returns what was written until it wants more
// or has finished.
func (c *stepConn) step(in []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(in) > 0 {
		c.in.Write(in)
		c.idle = false
		c.cond.Broadcast()
	}
	for !c.idle && !c.closed {
		c.cond.Wait()
	}
	out := c.out
	c.out = nil
	return out
}

// finish marks that the owner of c reads no more for now.
func (c *stepConn) finish() {
	c.mu.Lock()
	c.idle = true
	c.cond.Broadcast()
	c.mu.Unlock()
}

// stepClient is a client of crypto/tls on a stepConn, handshake begun.
func stepClient(cfg *ctls.Config) (*ctls.Conn, *stepConn) {
	raw := newStepConn()
	c := ctls.Client(raw, cfg)
	go func() {
		c.Handshake()
		raw.finish()
	}()
	return c, raw
}

// session makes a session in memory.
func session(tb testing.TB, s *Server, cfg *ctls.Config) (*ctls.Conn, *stepConn, Conn) {
	tb.Helper()
	client, raw := stepClient(cfg)
	ready := make(chan struct{}, 4)
	h := s.Handshake(func(*Handshake) { ready <- struct{}{} })
	h.Feed(raw.step(nil))
	for {
		<-ready
		out, done, conn, rest, err := h.Take(nil)
		if err != nil {
			tb.Fatal(err)
		}
		if len(rest) > 0 {
			tb.Fatalf("%d bytes left of a handshake", len(rest))
		}
		answer := []byte(nil)
		if len(out) > 0 {
			answer = raw.step(out)
		}
		if done {
			return client, raw, conn
		}
		h.Feed(answer)
	}
}

func TestConnIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(conn{}); n > 288 {
		t.Errorf("conn takes %d bytes, want at most 288", n)
	}
}

// heapPer returns the bytes and objects of heap that each of n results of f
// keeps.
func heapPer(n int, f func(i int) any) (bytes, objects float64) {
	keep := make([]any, n)
	keep[0] = f(0) // warm
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range keep {
		keep[i] = f(i)
	}
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(keep)
	per := func(a, b uint64) float64 { return (float64(b) - float64(a)) / float64(n) }
	return per(before.HeapAlloc, after.HeapAlloc), per(before.HeapObjects, after.HeapObjects)
}

// heapOfSessions is the heap that each of n sessions keeps after it has sent,
// before the client's login or after it.
func heapOfSessions(tb testing.TB, n int, cfg *ctls.Config, loggedIn bool) float64 {
	s, cache := newServer(), NewCache(1)
	var buf []byte
	bytes, _ := heapPer(n, func(int) any {
		_, _, conn := session(tb, s, cfg)
		buf, _ = conn.Seal(cache, buf[:0], make([]byte, 20_000))
		if loggedIn {
			conn.Trim()
		}
		return conn
	})
	return bytes
}

func TestIdleSessionIsSmall(t *testing.T) {
	kinds(func(name string, cfg *ctls.Config) {
		t.Run(name, func(t *testing.T) {
			const n, limit = 200, 400
			for _, loggedIn := range []bool{false, true} {
				if got := heapOfSessions(t, n, cfg, loggedIn); got > limit {
					t.Errorf("%.0f bytes of heap a session, want at most %d (logged in: %v)", got, limit, loggedIn)
				}
			}
		})
	})
}

// BenchmarkIdleHeap is the number of the README: heap of one idle session.
func BenchmarkIdleHeap(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(heapOfSessions(b, 10_000, clientConfig(), true), "B/session")
	}
}

// BenchmarkParkedHeap is what a client costs that sends a whole ClientHello and
// then nothing.
func BenchmarkParkedHeap(b *testing.B) {
	const n = 1000
	s := newServer()
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		parked := make([]*Handshake, n)
		for i := range parked {
			parked[i] = parkedHandshake(s)
		}
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "heap-B/handshake")
		b.ReportMetric(float64(after.StackInuse-before.StackInuse)/n, "stack-B/handshake")
		for _, h := range parked {
			h.Abort()
		}
	}
}

// parkedHandshake is one whose client sent a ClientHello, was answered, and is
// silent since.
func parkedHandshake(s *Server) *Handshake {
	_, raw := stepClient(clientConfig())
	first := raw.step(nil)
	raw.Close()
	ready := make(chan struct{}, 4)
	h := s.Handshake(func(*Handshake) { ready <- struct{}{} })
	h.Feed(first)
	<-ready
	h.Take(nil)
	return h
}
