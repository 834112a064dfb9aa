package loop

import (
	"errors"
	"syscall"
)

// move is a Conn on its way to another loop.
type move struct {
	to    *Loop
	done  func(c *Conn)
	asked state // dirty and again: what the Conn had asked of its old loop
	tries int
}

// moveTries bounds the attempts, one every Tick, to move a connection while
// the process has no descriptor left.
const moveTries = 50

// Move takes c to another loop. Reading stops at once; after the Flush of this
// turn, and once the kernel has taken all that was written, c leaves. From then
// on c may be used only on the loop to, where done runs first of all. No byte
// is lost or changes place.
//
// Timers do not come along. If c is closed before it arrives, done does not
// run: Closed comes, on whichever loop c was.
func (c *Conn) Move(to *Loop, done func(c *Conn)) {
	if c.state&(moving|closing|gone) != 0 {
		return
	}
	c.state |= moving
	c.driver().interest(c)
	c.loop.moving[c] = &move{to: to, done: done}
	c.loop.tryMove(c)
}

func (l *Loop) tryMove(c *Conn) {
	l.moves = append(l.moves, c)
	l.arm()
}

// runMoves lets those go that wait for nothing more.
func (l *Loop) runMoves() {
	list := l.take(&l.moves)
	for _, c := range list {
		m := l.moving[c]
		if m != nil && (c.Backlog() == 0 || c.isVirtual()) { // else tick comes back to it
			l.leave(c, m)
		}
	}
	l.give(list)
}

func (l *Loop) leave(c *Conn, m *move) {
	m.asked |= c.state & (dirty | again)
	l.forget(c)
	if m.to == l {
		delete(l.moving, c)
		l.n.conns--
		c.arrive(m)
		return
	}
	err := c.driver().handOver(c, m)
	switch {
	case err == nil:
		delete(l.moving, c)
		l.n.conns--
	case noDescriptor(err) && m.tries < moveTries:
		m.tries++
		l.Set(&Timer{Owner: Func(func() { l.tryMove(c) })}, Tick)
	default:
		delete(l.moving, c)
		c.abort(err)
	}
}

func noDescriptor(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// arrive ends a move, on the loop c is on now.
func (c *Conn) arrive(m *move) {
	c.state &^= moving
	c.loop.n.conns++
	c.driver().interest(c)
	if m.asked&dirty != 0 {
		c.Dirty()
	}
	if m.asked&again != 0 || c.held != nil {
		c.Again()
	}
	defer c.guard()
	m.done(c)
}
