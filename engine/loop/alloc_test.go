package loop

import (
	"io"
	"testing"
	"time"
	"unsafe"
)

func noAllocs(t *testing.T, what string, fn func()) {
	t.Helper()
	for range 100 {
		fn() // grow the lists once
	}
	if raceEnabled { // its pools forget on purpose
		return
	}
	if n := testing.AllocsPerRun(1000, fn); n != 0 {
		t.Errorf("%s: %v allocations, want 0", what, n)
	}
}

func TestDataToWriteDoesNotAllocate(t *testing.T) {
	g := start(t, 1)
	nc := dial(t, serve(t, func() (*Loop, Handler) {
		return g.At(0), &funcs{data: func(c *Conn, _ []byte) { c.Dirty() }, flush: func(c *Conn) { c.Write(hello) }}
	}, g))
	buf := make([]byte, len(hello))
	noAllocs(t, "read, flush and write over gnet", func() {
		_, _ = nc.Write(hello)
		_, _ = io.ReadFull(nc, buf)
	})
}

var hello = []byte("hello")

func TestSendDoesNotAllocate(t *testing.T) {
	g := NewManual(2, epoch)
	a, b := g.At(0), g.At(1)
	got := 0
	receive := func(p *Packet) { got += len(p.B); p.Release() }
	a.Receive, b.Receive = receive, receive
	send := Func(func() {
		for _, to := range []*Loop{a, b} {
			p := NewPacket()
			p.B = append(p.B, hello...)
			a.Send(to, p)
		}
	})
	timer := &Timer{Owner: send}
	noAllocs(t, "timer, packets to self and to another", func() {
		a.Set(timer, 0)
		g.Advance(2 * Tick)
	})
	if got == 0 {
		t.Error("nothing arrived")
	}
}

func TestTimersDoNotAllocate(t *testing.T) {
	l := NewManual(1, epoch).At(0)
	timers := make([]Timer, 100)
	noAllocs(t, "set and stop", func() {
		for i := range timers {
			l.Set(&timers[i], time.Duration(i*i)*time.Second)
		}
		for i := range timers {
			l.Stop(&timers[i])
		}
	})
}

func TestConnAndTimerAreSmall(t *testing.T) {
	if n := unsafe.Sizeof(Timer{}); n > 48 {
		t.Errorf("a Timer has %d bytes, want at most 48", n)
	}
	if n := unsafe.Sizeof(Conn{}); n > 112 {
		t.Errorf("a Conn has %d bytes, want at most 112", n)
	}
}
