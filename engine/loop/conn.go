package loop

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// Handler is told what happens to a Conn. Every method runs on the Conn's loop.
type Handler interface {
	// Open comes first, before any Data.
	Open(c *Conn)
	// Data gives what came. in is borrowed until the method returns and must
	// be consumed or copied whole. It is nil for a turn that Again asked for.
	Data(c *Conn, in []byte)
	// Flush comes once at the end of a turn in which Dirty was called.
	Flush(c *Conn)
	// Closed is the last call: the socket is gone. err is nil if this side
	// closed it, io.EOF if the other did. It comes without Open if an accepted
	// socket could not be taken in, and never from inside another method of c.
	Closed(c *Conn, err error)
}

// Presser is a Handler that cares about its backlog.
type Presser interface {
	// Pressed comes on every Tick while the kernel has not taken all that was
	// written, and once when it has (Backlog is 0 then).
	Pressed(c *Conn)
}

// linger is how long Close waits for the backlog and the other side's end.
const linger = 5 * time.Second

// ErrPanic is what Closed gets when the connection's own handler panicked.
var ErrPanic = errors.New("loop: handler panicked")

// socket is what a Conn needs of its driver's connection.
type socket interface {
	Write(p []byte) (int, error)
	OutboundBuffered() int
}

type state uint16

const (
	dirty   state = 1 << iota // in the turn's list for Flush
	again                     // in the list for Data(nil)
	paused                    // reading is off: Pause
	moving                    // Move was called
	closing                   // Close was called: what comes is thrown away
	ending                    // our end is shut down
	gone                      // no socket any more
)

// Conn is a socket on its loop. All methods may be called only on that loop.
type Conn struct {
	loop   *Loop
	h      Handler
	sock   socket         // nil once gone
	held   *Packet        // read while paused or moving, to be given later
	slow   *slow          // while there is something to watch on the tick
	remote netip.AddrPort // kept, so that Closed can tell it
	state  state
}

// slow watches a Conn whose output the kernel has not taken, or that is closing.
type slow struct {
	written  int       // bytes written since the watch began
	taken    int       // of those and the backlog then, what the kernel took
	since    time.Time // of the last progress
	deadline time.Time // when closing
}

// Loop returns the loop c lives on.
func (c *Conn) Loop() *Loop { return c.loop }

// Handler returns whom c's events go to.
func (c *Conn) Handler() Handler { return c.h }

// SetHandler gives c's events to h.
func (c *Conn) SetHandler(h Handler) { c.h = h }

// Remote returns the other side's address, without a zone; zero for a Unix
// socket.
func (c *Conn) Remote() netip.AddrPort { return c.remote }

// SetRemote changes what Remote returns, when a proxy tells for whom it comes.
func (c *Conn) SetRemote(a netip.AddrPort) { c.remote = a }

// Local asks the kernel for this side's address; zero once the socket is gone.
func (c *Conn) Local() netip.AddrPort {
	if c.sock == nil {
		return netip.AddrPort{}
	}
	return c.driver().local(c)
}

func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// Write gives b to the kernel. What the kernel does not take is copied and
// written when it does. Without a socket, b is lost: Closed is on its way.
func (c *Conn) Write(b []byte) {
	if c.sock == nil || c.state&ending != 0 || len(b) == 0 {
		return
	}
	c.loop.n.out += uint64(len(b))
	_, _ = c.sock.Write(b) // an error closes the socket, and Closed tells it
	if c.slow != nil {
		c.slow.written += len(b)
		return
	}
	if c.Backlog() > 0 {
		c.watch()
		if c.quiet() {
			c.driver().interest(c) // the driver wants to write, and asked to read too
		}
	}
}

// Backlog returns how many written bytes the kernel has not taken.
func (c *Conn) Backlog() int {
	if c.sock == nil {
		return 0
	}
	return c.sock.OutboundBuffered()
}

// Behind reports whether there is a backlog, or was at the last tick.
func (c *Conn) Behind() bool { return c.slow != nil }

// StalledFor returns how long the kernel has not taken a byte of the backlog.
func (c *Conn) StalledFor() time.Duration {
	if c.slow == nil || c.Backlog() == 0 || c.isVirtual() { // its Transport has limits of its own
		return 0
	}
	return c.loop.now.Sub(c.slow.since)
}

// Dirty asks for Flush at the end of this turn.
func (c *Conn) Dirty() {
	if c.state&(dirty|gone) == 0 {
		c.state |= dirty
		c.loop.dirty = append(c.loop.dirty, c)
		c.loop.arm()
	}
}

// Again asks for a Data(nil) in the next turn.
func (c *Conn) Again() {
	if c.state&(again|gone) == 0 {
		c.state |= again
		c.loop.again = append(c.loop.again, c)
		c.loop.arm()
	}
}

// Pause stops reading: what the other side sends waits in the kernel. The end
// of the connection is not seen meanwhile either, unless it is a reset.
func (c *Conn) Pause() {
	if c.state&(paused|closing|gone) == 0 {
		c.state |= paused
		c.driver().interest(c)
	}
}

// Resume starts reading again.
func (c *Conn) Resume() {
	if c.state&paused == 0 || c.state&gone != 0 {
		return
	}
	c.state &^= paused
	c.driver().interest(c)
	if c.held != nil {
		c.Again()
	}
}

// Close ends c: after this turn's Flush the backlog is given a few seconds,
// then the socket is shut down, and it is closed when the other side has ended
// too or the time is over. What still comes is thrown away.
func (c *Conn) Close() {
	if c.state&(closing|gone) != 0 {
		return
	}
	delete(c.loop.moving, c)
	c.dropHeld()
	c.watch()
	c.slow.deadline = c.loop.now.Add(linger)
	wasQuiet := c.quiet()
	c.state = c.state&^(moving|paused) | closing
	if wasQuiet {
		c.driver().interest(c) // to see the other side's end
	}
	c.Dirty()
}

// quiet reports whether nothing is read.
func (c *Conn) quiet() bool { return c.state&(paused|moving) != 0 }

// Abort closes c at once; a backlog is lost.
func (c *Conn) Abort() { c.abort(nil) }

func (c *Conn) abort(err error) {
	if c.sock != nil {
		c.driver().close(c, c.Backlog() > 0)
		c.loop.gone(c, err)
	}
}

// input takes what the driver read.
func (c *Conn) input(in []byte) {
	c.loop.n.in += uint64(len(in))
	switch {
	case c.state&(closing|gone) != 0:
	case c.quiet():
		c.hold(in)
		c.driver().interest(c) // writing off a backlog turned reading on
	case c.held != nil:
		c.hold(in)
		c.giveHeld()
	default:
		c.data(in)
	}
}

func (c *Conn) hold(in []byte) {
	if c.held == nil {
		c.held = NewPacket()
	}
	c.held.B = append(c.held.B, in...)
}

func (c *Conn) giveHeld() {
	p := c.held
	c.held = nil
	c.data(p.B)
	p.Release()
}

func (c *Conn) dropHeld() {
	if c.held != nil {
		c.held.Release()
		c.held = nil
	}
}

// more is the Data(nil) that Again asked for, or the bytes held until Resume.
func (c *Conn) more() {
	switch {
	case c.state&(closing|gone) != 0:
	case c.state&moving != 0:
		c.loop.moving[c].asked |= again
	case c.held != nil && c.state&paused == 0:
		c.giveHeld()
	default:
		c.data(nil)
	}
}

func (c *Conn) data(in []byte) {
	defer c.guard()
	c.h.Data(c, in)
}

func (c *Conn) flush() {
	defer c.guard()
	c.h.Flush(c)
}

func (c *Conn) open() {
	defer c.guard()
	c.h.Open(c)
}

func (c *Conn) closed(err error) {
	defer c.guard()
	c.h.Closed(c, err)
}

func (c *Conn) pressed() {
	if p, ok := c.h.(Presser); ok {
		defer c.guard()
		p.Pressed(c)
	}
}

// guard keeps a panic of c's handler to c: it is logged and c closed.
func (c *Conn) guard() {
	if v := recover(); v != nil {
		c.loop.panicked(v)
		c.abort(ErrPanic)
	}
}
