package loop

import (
	"log/slog"
	"net/netip"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Loop is one event loop. Its methods may be called only during a turn of the
// loop, on its goroutine, except where they say otherwise.
type Loop struct {
	// Index is the loop's place in its Group.
	Index int
	// Receive gets the packets sent to this loop, one reference with each. Set
	// it before the first packet.
	Receive func(p *Packet)

	group *Group
	drv   driver
	log   *slog.Logger
	box   *mailbox

	now    time.Time // of this turn
	inTurn bool      // a turn has begun
	inEnd  bool      // and its end is being run

	local []letter   // to this loop itself: handled in this turn
	out   [][]letter // to the others, by index: delivered at the end of the turn
	outTo []*Loop    // those with something in out
	empty []letter   // a list to swap with the mailbox's

	later  []func() // to run at the end of this turn
	dirty  []*Conn
	again  []*Conn // to be ready in the next turn
	ready  []*Conn // that asked for Data(nil) in an earlier turn
	moves  []*Conn // that may leave
	ended  []ended
	moving map[*Conn]*move // those that Move was called for
	slow   []*Conn
	spare  []*Conn // a list to swap with

	spares     []*Packet // for NewPacket
	spareBytes int       // in them
	leastSpare int       // how few there were since trimmed
	trimmed    time.Time

	wheel wheel
	n     tally

	armed atomic.Bool  // an end of turn is on its way
	due   atomic.Int64 // tick at which the loop wants to be woken
	probe atomic.Int64 // when Beat asked for a turn, Unix ns; 0: it has turned
	stats stats
}

// ended is a Conn that is owed its Closed.
type ended struct {
	c   *Conn
	err error
}

// driver is what a loop stands on: gnet, or memory.
type driver interface {
	wake()                           // have endTurn run soon; from any goroutine
	interest(c *Conn)                // read, or not, and write as c's state says
	shutdown(c *Conn)                // no more output
	close(c *Conn, hard bool)        // now; hard: what the kernel holds is dropped too
	handOver(c *Conn, m *move) error // c leaves for m.to; an error leaves it here
	local(c *Conn) netip.AddrPort    // this side's address
	stop()                           // close every connection and end the loop
}

// slowTurn and alarmTurn are the lengths from which a turn counts as slow, and
// is told to Options.OnSlowTurn.
const (
	slowTurn  = 10 * time.Millisecond
	alarmTurn = 100 * time.Millisecond
)

// Now returns the time of this turn.
func (l *Loop) Now() time.Time { return l.now }

// Group returns the group l belongs to.
func (l *Loop) Group() *Group { return l.group }

// Set has t fire once, after d, at the next Tick; if it was set before, that
// is forgotten.
func (l *Loop) Set(t *Timer, d time.Duration) {
	l.wheel.stop(t)
	l.wheel.set(t, l.group.tick(l.now.Add(d+Tick-1)))
	l.arm() // the end of the turn publishes when to wake
}

// Stop has t not fire.
func (l *Loop) Stop(t *Timer) { l.wheel.stop(t) }

// begin starts a turn, if none has begun, and has its end called.
func (l *Loop) begin() {
	if !l.inTurn {
		l.inTurn = true
		l.now = l.group.clock()
		l.arm()
	}
}

// arm has endTurn called, once. Within endTurn plan does it, if something is
// left.
func (l *Loop) arm() {
	if !l.inEnd && l.armed.CompareAndSwap(false, true) {
		l.drv.wake()
	}
}

// endTurn does all of a turn that is not reading. See the package comment for
// the order.
func (l *Loop) endTurn() {
	l.begin()
	l.inEnd = true
	l.armed.Store(false) // from here on mail asks for another turn
	l.runMail()
	l.runTimers()
	l.runAgain()
	l.runClosed()
	l.runLater()
	l.runFlush()
	l.runMoves()
	l.sendMail()
	l.trim()
	l.inTurn, l.inEnd = false, false
	l.plan()
	l.account()
}

func (l *Loop) runTimers() {
	now := int64(l.now.Sub(l.group.start) / Tick)
	ticked := now > l.wheel.now
	for t := l.wheel.expired(now); t != nil; t = l.wheel.expired(now) {
		l.fire(t)
		l.runLocal()
	}
	if l.wheel.count == 0 {
		l.wheel.now = now
	}
	if ticked && len(l.slow) > 0 {
		l.tickSlow()
	}
}

func (l *Loop) fire(t *Timer) {
	defer l.guard()
	t.Owner.Timeout(t)
}

func (l *Loop) runAgain() {
	for _, c := range l.ready {
		if c != nil {
			c.state &^= again
			c.more()
			l.runLocal()
		}
	}
	clear(l.ready)
	l.ready, l.again = l.again, l.ready[:0]
}

func (l *Loop) runClosed() {
	list := l.ended
	l.ended = nil
	for _, e := range list {
		e.c.closed(e.err)
		l.runLocal()
	}
}

// Later runs fn in this turn, when all that has come in it has been handled, before
// output leaves.
func (l *Loop) Later(fn func()) {
	l.later = append(l.later, fn)
	l.arm()
}

func (l *Loop) runLater() {
	for i := 0; i < len(l.later); i++ {
		l.handle(letter{fn: l.later[i]})
		l.runLocal()
	}
	clear(l.later)
	l.later = l.later[:0]
}

func (l *Loop) runFlush() {
	list := l.take(&l.dirty)
	for _, c := range list {
		if c == nil {
			continue
		}
		c.state &^= dirty
		if c.state&gone == 0 {
			c.flush()
			l.runLocal()
		}
		if c.state&closing != 0 {
			c.finish()
		}
	}
	l.give(list)
}

// take swaps list for an empty one: what is added to it meanwhile waits for
// the next turn.
func (l *Loop) take(list *[]*Conn) []*Conn {
	taken := *list
	*list, l.spare = l.spare, nil
	return taken
}

// give keeps the room of a list that take returned.
func (l *Loop) give(list []*Conn) {
	clear(list)
	if cap(list) > cap(l.spare) {
		l.spare = list[:0]
	}
}

// plan asks for the next turn: at once, at a tick, or not at all.
func (l *Loop) plan() {
	if len(l.local)+len(l.later)+len(l.ready)+len(l.again)+len(l.ended)+len(l.dirty)+len(l.moves) > 0 {
		l.arm()
	}
	next := l.wheel.next()
	if len(l.slow) > 0 {
		next = min(next, int64(l.now.Sub(l.group.start)/Tick)+1)
	}
	if len(l.spares) > 0 {
		next = min(next, l.group.tick(l.trimmed.Add(spareFor+Tick-1)))
	}
	if next != l.due.Load() {
		l.due.Store(next)
	}
}

// forget takes c, which leaves this loop, off its lists.
func (l *Loop) forget(c *Conn) {
	for _, list := range [][]*Conn{l.dirty, l.again, l.ready} {
		for i := range list {
			if list[i] == c {
				list[i] = nil
			}
		}
	}
	for i := range l.slow {
		if l.slow[i] == c {
			l.unwatch(i)
			break
		}
	}
	c.state &^= dirty | again
}

// gone notes that c has no socket any more; Closed comes later in this turn or
// in the next.
func (l *Loop) gone(c *Conn, err error) {
	if c.state&closing != 0 {
		err = nil
	}
	c.state |= gone
	c.sock = nil
	c.dropHeld()
	delete(l.moving, c)
	l.n.conns--
	l.ended = append(l.ended, ended{c, err})
	l.arm()
}

// guard keeps a panic in a function or timer from ending the loop.
func (l *Loop) guard() {
	if v := recover(); v != nil {
		l.panicked(v)
	}
}

func (l *Loop) panicked(v any) {
	panics.Add(l.Index, 1)
	l.log.Error("loop: panic, going on", "loop", l.Index, "panic", v, "stack", string(debug.Stack()))
}
