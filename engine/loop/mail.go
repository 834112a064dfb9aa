package loop

import "sync"

// letter is a packet, or a function to run.
type letter struct {
	p  *Packet
	fn func()
}

// mailbox is what others put into a loop. Its lock is the only one on the way
// of a packet, held to append.
type mailbox struct {
	mu     sync.Mutex
	in     []letter
	closed bool
	_      [80]byte // apart from other loops' fields in the cache
}

// maxSpareMail bounds the room for mail that a loop keeps after a burst.
const maxSpareMail = 16 << 10

// Post runs fn on l, in the order of posting. It may be called from any
// goroutine. After Stop fn is not run.
//
// It allocates, so it is for completions and rare things. It does not keep
// order with Send from the same turn: see Call.
func (l *Loop) Post(fn func()) { l.deliver([]letter{{fn: fn}}) }

// Send gives p, and the caller's reference, to to.Receive: after this turn, or,
// if to is l itself, in this turn as soon as the present handler has returned.
// What one loop sends to another arrives in order.
func (l *Loop) Send(to *Loop, p *Packet) { l.put(to, letter{p: p}) }

// Last returns the packet that was sent last to to, another loop, if it has not
// left yet: more can be put into it, for nothing has been sent after it. Else nil.
func (l *Loop) Last(to *Loop) *Packet {
	if out := l.out[to.Index]; len(out) > 0 {
		return out[len(out)-1].p
	}
	return nil
}

// Call is Send for a function: it keeps its place among the packets.
func (l *Loop) Call(to *Loop, fn func()) { l.put(to, letter{fn: fn}) }

func (l *Loop) put(to *Loop, m letter) {
	l.n.sent++
	if to == l {
		l.local = append(l.local, m)
		l.arm()
		return
	}
	if len(l.out[to.Index]) == 0 {
		l.outTo = append(l.outTo, to)
	}
	l.out[to.Index] = append(l.out[to.Index], m)
	l.arm()
}

// sendMail delivers what the turn collected.
func (l *Loop) sendMail() {
	for _, to := range l.outTo {
		batch := l.out[to.Index]
		if !to.deliver(batch) {
			releaseMail(batch)
		}
		clear(batch)
		l.out[to.Index] = keepMail(batch)
	}
	l.outTo = l.outTo[:0]
}

// deliver appends batch to l's mailbox and wakes l if it is not awake. It
// reports false after Stop.
func (l *Loop) deliver(batch []letter) bool {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	if l.box.closed {
		return false
	}
	l.box.in = append(l.box.in, batch...)
	if l.armed.CompareAndSwap(false, true) {
		l.stats.wakes.Add(1)
		l.drv.wake() // under the lock: Stop may not close the loop in between
	}
	return true
}

// runMail handles what is in the mailbox.
func (l *Loop) runMail() {
	l.runLocal()
	l.box.mu.Lock()
	list := l.box.in
	l.box.in = l.empty
	l.box.mu.Unlock()
	for i := range list {
		l.handle(list[i])
		l.runLocal()
	}
	clear(list)
	l.empty = keepMail(list)
}

// maxLocal bounds the letters to itself that a loop handles in a row.
const maxLocal = 16 << 10

// runLocal handles what the loop sent to itself, until nothing is left.
func (l *Loop) runLocal() {
	for i := 0; i < len(l.local); i++ {
		if i == maxLocal { // the others' turn
			l.local = append(l.local[:0], l.local[i:]...)
			return
		}
		l.handle(l.local[i])
		l.local[i] = letter{}
	}
	l.local = keepMail(l.local)
}

func (l *Loop) handle(m letter) {
	defer l.guard()
	if m.p != nil {
		l.Receive(m.p)
		return
	}
	m.fn()
}

// keepMail returns the room of list for use again, unless it is too much.
func keepMail(list []letter) []letter {
	if cap(list) > maxSpareMail {
		return nil
	}
	return list[:0]
}

func releaseMail(list []letter) {
	for _, m := range list {
		if m.p != nil {
			m.p.Release()
		}
	}
}
