package loop

import (
	"io"
	"net/netip"
	"testing"
)

// carrier is a Transport that remembers.
type carrier struct {
	got     string
	backlog int
	reading bool
	path    []string
	gone    bool
}

func (t *carrier) Output(b []byte) { t.got += string(b) }
func (t *carrier) Backlog() int    { return t.backlog }
func (t *carrier) Reading(on bool) { t.reading = on }
func (t *carrier) Leave(*Loop)     { t.path = append(t.path, "leave") }
func (t *carrier) Arrive()         { t.path = append(t.path, "arrive") }
func (t *carrier) Gone()           { t.gone = true }

// parrot says back what it hears.
type parrot struct {
	c   *Conn
	err error
	end bool
}

func (h *parrot) Open(c *Conn)              { h.c = c }
func (h *parrot) Data(c *Conn, in []byte)   { c.Write(in) }
func (h *parrot) Flush(*Conn)               {}
func (h *parrot) Closed(_ *Conn, err error) { h.end, h.err = true, err }

func virtualConn(t *testing.T) (*Group, *carrier, *parrot) {
	t.Helper()
	g := NewManual(2, epoch)
	tr, h := &carrier{}, &parrot{}
	g.At(0).Post(func() { g.At(0).Virtual(tr, h, netip.AddrPort{}) })
	g.Turn()
	return g, tr, h
}

func on(g *Group, l *Loop, fn func()) {
	l.Post(fn)
	g.Turn()
}

func TestVirtualPausesMovesAndCloses(t *testing.T) {
	g, tr, h := virtualConn(t)
	on(g, g.At(0), func() { h.c.Feed([]byte("a")) })
	on(g, g.At(0), func() { h.c.Pause(); h.c.Feed([]byte("b")) })
	if tr.got != "a" || tr.reading {
		t.Errorf("paused: got %q, reading %v", tr.got, tr.reading)
	}
	tr.backlog = 10 // a move does not wait for the client
	arrived := false
	on(g, g.At(0), func() { h.c.Move(g.At(1), func(c *Conn) { arrived = c.Loop() == g.At(1) }) })
	if !arrived || len(tr.path) != 2 || tr.path[0] != "leave" {
		t.Fatalf("arrived %v by %v", arrived, tr.path)
	}
	on(g, g.At(1), func() { h.c.Resume() })
	if tr.got != "ab" || !tr.reading {
		t.Errorf("resumed: got %q, reading %v", tr.got, tr.reading)
	}
	g.Advance(100 * Tick)
	if h.c.StalledFor() != 0 {
		t.Error("a client that is slow to ask counts as one that does not read")
	}
	tr.backlog = 0
	on(g, g.At(1), func() { h.c.Close() })
	if !tr.gone || !h.end || h.err != nil {
		t.Errorf("closed: gone %v, end %v with %v", tr.gone, h.end, h.err)
	}
	on(g, g.At(1), func() { h.c.Feed([]byte("late")) })
	if tr.got != "ab" {
		t.Errorf("got %q after the end", tr.got)
	}
}

func TestVirtualEnds(t *testing.T) {
	g, tr, h := virtualConn(t)
	on(g, g.At(0), func() { h.c.End(io.EOF) })
	if !h.end || h.err != io.EOF || !tr.gone {
		t.Errorf("end %v with %v, gone %v", h.end, h.err, tr.gone)
	}
	var n uint64
	for i := range g.Len() {
		n += uint64(g.At(i).Stats().Conns)
	}
	if n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
