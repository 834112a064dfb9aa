package wire

import (
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"meerkat/engine/loop"
)

// mute is a Framed that takes all and says nothing.
type mute struct {
	still
	w *Conn
}

func (m *mute) Opened(w *Conn) { m.w = w }
func (*mute) Message(*Conn)    {}

// TestIdleWebSocketIsSmall bounds what a WebSocket keeps more than a connection
// without one, before and after traffic.
func TestIdleWebSocketIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(webSocket{}); size > 64 {
		t.Errorf("webSocket has %d bytes", size)
	}
	const n = 5000
	g, s := memory(t, 1, Options{})
	heap := func(kind func() Upper) (each float64) {
		peers := make([]*loop.Peer, n)
		before := heapInUse()
		for i := range peers {
			peers[i] = s.Pipe(g.At(0), kind(), false)
		}
		g.Turn()
		for _, p := range peers {
			p.WriteString(frames(clientFrame(text, "hel"), clientFrame(done|ping, ""), clientFrame(done|cont, "lo")))
		}
		g.Turn()
		for _, p := range peers {
			p.Read()
		}
		each = (float64(heapInUse()) - float64(before)) / n
		runtime.KeepAlive(peers)
		return each
	}
	plain := heap(func() Upper { return &owner{} })
	framed := heap(func() Upper { return &turner{up: &mute{}, limit: testLimit} })
	// The two Uppers of the framed one are the test's.
	if more := framed - plain - float64(unsafe.Sizeof(turner{})); more > 200 {
		t.Errorf("a WebSocket keeps %.0f bytes more than TCP", more)
	}
}

func TestMessagesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	g, s := memory(t, 1, Options{})
	up := &mute{}
	s.Pipe(g.At(0), &turner{up: up, limit: testLimit}, false)
	g.Turn()
	in := clientFrame(done|text, strings.Repeat("x", 300))
	buf := make([]byte, len(in))
	if n := testing.AllocsPerRun(1000, func() {
		copy(buf, in)
		up.w.frames(buf)
	}); n != 0 {
		t.Errorf("%v allocations a message received", n)
	}
	out := make([]byte, 300)
	if n := testing.AllocsPerRun(1000, func() {
		up.w.WriteMessage(out[:8], nil, out[8:])
		up.w.out.B = up.w.out.B[:0]
	}); n != 0 {
		t.Errorf("%v allocations a message sent", n)
	}
}

// BenchmarkMessageIn is what frames cost of a stanza of 300 bytes.
func BenchmarkMessageIn(b *testing.B) {
	g, s := memory(b, 1, Options{})
	up := &mute{}
	s.Pipe(g.At(0), &turner{up: up, limit: testLimit}, false)
	g.Turn()
	in := clientFrame(done|text, strings.Repeat("x", 300))
	buf := make([]byte, len(in))
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		copy(buf, in)
		up.w.frames(buf)
	}
}

func BenchmarkMessageOut(b *testing.B) {
	g, s := memory(b, 1, Options{})
	up := &mute{}
	s.Pipe(g.At(0), &turner{up: up, limit: testLimit}, false)
	g.Turn()
	out := make([]byte, 300)
	b.SetBytes(int64(len(out)))
	for b.Loop() {
		up.w.WriteMessage(out[:8], nil, out[8:])
		up.w.out.B = up.w.out.B[:0]
	}
}
