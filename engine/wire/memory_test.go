package wire

import (
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"meerkat/engine/loop"
)

// still is an Upper of no size.
type still struct{}

func (still) Opened(*Conn)                 {}
func (still) Bytes(_ *Conn, in []byte) int { return len(in) }
func (still) Flush(*Conn)                  {}
func (still) Secured(*Conn)                {}
func (still) Closed(*Conn, error)          {}

// TestIdleConnectionIsSmall bounds what loop and wire keep for a connection on
// which nothing happens, a rate limit included.
func TestIdleConnectionIsSmall(t *testing.T) {
	const n = 10_000
	if size := unsafe.Sizeof(Conn{}) + unsafe.Sizeof(loop.Conn{}); size > 300 {
		t.Errorf("the two Conns have %d bytes", size)
	}
	g, s := memory(t, 1, Options{})
	peers := make([]*loop.Peer, n)
	ups := make([]*owner, n)
	for i := range peers {
		ups[i] = new(owner)
		peers[i] = s.Pipe(g.At(0), ups[i], false)
	}
	g.Turn()
	before := heapInUse()
	for i, p := range peers {
		p.WriteString("hello")
		ups[i].w.SetRate(100_000, 1_000_000)
	}
	g.Turn()
	for _, p := range peers {
		p.Read()
	}
	each := (float64(heapInUse()) - float64(before)) / n
	if each > 16 {
		t.Errorf("%.0f bytes are kept for an idle connection that was busy, want none", each)
	}
	runtime.KeepAlive(peers)
	runtime.KeepAlive(ups)
}

// owner remembers its Conn.
type owner struct {
	still
	w *Conn
}

func (o *owner) Opened(w *Conn) { o.w = w }

// BenchmarkIdleHeap reports the heap of a connection over gnet, all told.
func BenchmarkIdleHeap(b *testing.B) {
	const n = 3000
	var opened atomic.Int64
	_, s := real(b, 2, Options{PerAddress: n, Unauthenticated: n})
	addr := listen(b, s, ListenOptions{New: func() Upper { opened.Add(1); return still{} }})
	clients := make([]int, 0, n)
	before := heapInUse()
	for len(clients) < n {
		clients = append(clients, rawDial(b, addr))
	}
	waitFor(b, "connections", func() bool {
		return opened.Load() == n && s.group.At(0).Stats().Conns+s.group.At(1).Stats().Conns == n
	})
	time.Sleep(100 * time.Millisecond)
	b.ReportMetric((float64(heapInUse())-float64(before))/n, "B/conn")
	for _, fd := range clients {
		_ = syscall.Close(fd)
	}
	for range b.N {
	}
}

// rawDial connects without a net.Conn, which would count on this heap.
func rawDial(b *testing.B, addr string) int {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: a.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		b.Fatal(err)
	}
	return fd
}
