package loop

import "net/netip"

// Transport is the other end of a Conn that has no socket: a part of this
// process carries the bytes in its own way. Its methods run on the Conn's loop.
type Transport interface {
	// Output takes what the Conn writes; b is borrowed.
	Output(b []byte)
	// Backlog is how many bytes of it the client is not known to have.
	Backlog() int
	// Reading says whether Feed is welcome. What it brings nevertheless is kept.
	Reading(on bool)
	// Leave comes on the loop that the Conn leaves, Arrive on the one it is on
	// from then on. In between no method of the Conn may be called.
	Leave(to *Loop)
	Arrive()
	// Gone says that the Conn is closed.
	Gone()
}

// Virtual makes a Conn over t that h hears of. It must be called on l, during a
// turn.
func (l *Loop) Virtual(t Transport, h Handler, remote netip.AddrPort) *Conn {
	c := &Conn{loop: l, h: h, sock: &virtual{t}, remote: remote}
	l.n.conns++
	c.open()
	return c
}

// Feed gives a virtual c what its client sent.
func (c *Conn) Feed(in []byte) {
	if c.state&gone == 0 {
		c.input(in)
	}
}

// End says that the client of a virtual c is gone.
func (c *Conn) End(err error) { c.abort(err) }

// virtual is the driver of one Conn, and its socket.
type virtual struct{ t Transport }

// driver returns who moves c's bytes.
func (c *Conn) driver() driver {
	if v, ok := c.sock.(*virtual); ok {
		return v
	}
	return c.loop.drv
}

func (c *Conn) isVirtual() bool {
	_, ok := c.sock.(*virtual)
	return ok
}

func (v *virtual) Write(b []byte) (int, error) {
	v.t.Output(b)
	return len(b), nil
}

func (v *virtual) OutboundBuffered() int { return v.t.Backlog() }

func (v *virtual) interest(c *Conn)           { v.t.Reading(!c.quiet()) }
func (v *virtual) shutdown(c *Conn)           { c.abort(nil) } // there is no other end to wait for
func (v *virtual) close(*Conn, bool)          { v.t.Gone() }
func (v *virtual) local(*Conn) netip.AddrPort { return netip.AddrPort{} }
func (v *virtual) wake()                      {}
func (v *virtual) stop()                      {}

func (v *virtual) handOver(c *Conn, m *move) error {
	m.to.Post(func() {
		c.loop = m.to
		v.t.Arrive()
		c.arrive(m)
	})
	v.t.Leave(m.to)
	return nil
}
