package loop

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// manual is what a group in memory has beyond its loops.
type manual struct {
	now   time.Time
	ports uint16 // the last one given to a Peer
}

// NewManual returns n loops in memory for tests. They turn only within Turn
// and Advance, on the caller's goroutine, and their clock begins at start and
// moves only by Advance. Post and Work may be called from any goroutine.
func NewManual(n int, start time.Time) *Group {
	opt := Options{Loops: n, Logger: slog.Default()}
	opt.fill()
	m := &manual{now: start}
	g := newGroup(opt, func() time.Time { return m.now })
	g.manual = m
	g.work.manual = true
	for _, l := range g.loops {
		l.drv = &memory{l: l}
	}
	return g
}

// Turn runs all loops, and the functions given to Work, until nothing is left
// to do. It reports whether there was anything.
func (g *Group) Turn() bool {
	any := false
	for g.turnOnce() {
		any = true
	}
	return any
}

func (g *Group) turnOnce() bool {
	did := false
	for _, l := range g.loops {
		if l.armed.Load() {
			l.drv.(*memory).turn()
			did = true
		}
	}
	for j, ok := g.work.take(); ok; j, ok = g.work.take() {
		j.run()
		did = true
	}
	return did
}

// TurnUntil turns until ok returns true, for tests that wait for work done by
// other goroutines. It gives up after a few seconds of real time and then
// returns false.
func (g *Group) TurnUntil(ok func() bool) bool {
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if !g.Turn() {
			time.Sleep(50 * time.Microsecond)
		}
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// Advance moves the clock by d. Timers fire in order, each at its time, and
// the loops turn after each and at the end.
func (g *Group) Advance(d time.Duration) {
	g.Turn()
	end := g.manual.now.Add(d)
	for {
		due := int64(never)
		for _, l := range g.loops {
			due = min(due, l.due.Load())
		}
		at := g.start.Add(time.Duration(due) * Tick)
		if due == never || at.After(end) {
			break
		}
		g.manual.now = at
		g.armDue(due)
		g.Turn()
	}
	g.manual.now = end
	g.Turn()
}

func (g *Group) armDue(tick int64) {
	for _, l := range g.loops {
		if l.due.Load() <= tick {
			l.arm()
		}
	}
}

// memory drives a loop by hand.
type memory struct {
	l     *Loop
	peers []*Peer
}

func (m *memory) turn() {
	m.l.begin()
	more := false
	for _, p := range append([]*Peer(nil), m.peers...) {
		more = p.deliver() || more
		m.l.runLocal()
	}
	m.l.endTurn()
	if more {
		m.l.armed.Store(true)
	}
}

func (m *memory) wake() {} // armed says it

// interest has the next turn look whether the Conn's Peer has sent something.
func (m *memory) interest(*Conn) { m.l.armed.Store(true) }

func (m *memory) local(*Conn) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 5222)
}

func (m *memory) shutdown(c *Conn) { peerOf(c).ended = true }

func (m *memory) close(c *Conn, _ bool) {
	p := peerOf(c)
	p.ended, p.closed = true, true
	m.remove(p)
}

func (m *memory) handOver(c *Conn, mv *move) error {
	p := peerOf(c)
	m.remove(p)
	mv.to.Post(func() {
		to := mv.to.drv.(*memory)
		c.loop = mv.to
		to.peers = append(to.peers, p)
		c.arrive(mv)
	})
	return nil
}

func (m *memory) remove(p *Peer) {
	for i := range m.peers {
		if m.peers[i] == p {
			m.peers = append(m.peers[:i:i], m.peers[i+1:]...)
			return
		}
	}
}

func (m *memory) stop() {
	for _, p := range append([]*Peer(nil), m.peers...) {
		p.c.Abort()
	}
	m.turn()
}

// Peer is the other side of an in-memory connection. Its methods are for the
// goroutine that turns the loops.
type Peer struct {
	c      *Conn
	opened bool
	sent   []byte // on its way to the Conn
	fin    bool   // and then its end
	got    []byte // written by the Conn and not yet read
	held   []byte // written by the Conn while nobody reads
	deaf   bool   // nobody reads
	ended  bool   // the Conn writes no more
	closed bool   // the Conn is closed
}

// Pipe connects a new Peer to l of a manual group: a Conn that h hears of from
// the next Turn on. Its address is 127.0.0.1 with a port of its own.
func (g *Group) Pipe(l *Loop, h Handler) *Peer {
	g.manual.ports++
	return g.PipeFrom(l, h, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), g.manual.ports))
}

// PipeFrom is Pipe from an address of choice.
func (g *Group) PipeFrom(l *Loop, h Handler, from netip.AddrPort) *Peer {
	p := &Peer{}
	p.c = &Conn{loop: l, h: h, sock: (*connSide)(p), remote: from}
	m := l.drv.(*memory)
	m.peers = append(m.peers, p)
	l.arm()
	return p
}

// deliver gives the Conn what the Peer has sent, and reports whether there is
// more.
func (p *Peer) deliver() bool {
	c := p.c
	if !p.opened {
		p.opened = true
		c.loop.n.conns++
		c.open()
	}
	if c.quiet() || c.state&gone != 0 {
		return false
	}
	n := min(len(p.sent), c.loop.group.opt.ReadBuffer)
	in := p.sent[:n]
	p.sent = p.sent[n:]
	switch {
	case n > 0:
		c.input(in)
		return len(p.sent) > 0 || p.fin
	case p.fin:
		c.loop.drv.(*memory).remove(p)
		c.loop.gone(c, io.EOF)
		p.closed, p.ended = true, true
	}
	return false
}

// Write sends b to the Conn, which gets it in the next Turn.
func (p *Peer) Write(b []byte) (int, error) {
	if p.closed {
		return 0, net.ErrClosed
	}
	p.sent = append(p.sent, b...)
	p.c.loop.arm()
	return len(b), nil
}

// WriteString is Write.
func (p *Peer) WriteString(s string) { _, _ = p.Write([]byte(s)) }

// Read returns all that has come since the last Read.
func (p *Peer) Read() []byte {
	b := p.got
	p.got = nil
	return b
}

// ReadString is Read.
func (p *Peer) ReadString() string { return string(p.Read()) }

// Close ends the connection from this side, behind what was sent.
func (p *Peer) Close() {
	p.fin = true
	p.c.loop.arm()
}

// StopReading lets what the Conn writes pile up as its backlog.
func (p *Peer) StopReading() { p.deaf = true }

// StartReading takes the backlog and what comes after it.
func (p *Peer) StartReading() {
	p.deaf = false
	p.got = append(p.got, p.held...)
	p.held = nil
}

// ReadSome takes n bytes of the backlog, as a slow reader does.
func (p *Peer) ReadSome(n int) {
	n = min(n, len(p.held))
	p.got = append(p.got, p.held[:n]...)
	p.held = append([]byte(nil), p.held[n:]...)
}

// Ended reports whether the Conn has shut down its output.
func (p *Peer) Ended() bool { return p.ended }

// Closed reports whether the Conn is closed.
func (p *Peer) Closed() bool { return p.closed }

// connSide is the Conn's side of a Peer.
type connSide Peer

func peerOf(c *Conn) *Peer { return (*Peer)(c.sock.(*connSide)) }

func (p *connSide) Write(b []byte) (int, error) {
	if p.deaf {
		p.held = append(p.held, b...)
	} else {
		p.got = append(p.got, b...)
	}
	return len(b), nil
}

func (p *connSide) OutboundBuffered() int { return len(p.held) }
