package loop

import (
	"math"
	"math/bits"
	"time"
)

// Tick is the resolution of timers.
const Tick = 100 * time.Millisecond

// Timed is what a Timer calls.
type Timed interface {
	// Timeout runs on the loop the timer was set on. t is not set any more.
	Timeout(t *Timer)
}

// Func makes a function of a Timed. It costs an allocation, so it is for the
// rare timers; the others belong to a struct with a method.
type Func func()

// Timeout calls f.
func (f Func) Timeout(*Timer) { f() }

// Timer is embedded in what it times. It belongs to one loop at a time: to
// move it, Stop it there and Set it here. The zero Timer with an Owner is ready.
type Timer struct {
	Owner Timed

	next, prev *Timer // neighbours in a slot; nil when not set
	when       int64  // tick it fires at
}

// Active reports whether t is set.
func (t *Timer) Active() bool { return t.next != nil }

func (t *Timer) unlink() {
	t.prev.next, t.next.prev = t.next, t.prev
	t.next, t.prev = nil, nil
}

// The wheel has four levels of 64 slots: 6.4 s in ticks, 7 min, 7 h, 19 days.
// A timer waits in the level its distance asks for, and comes down a level
// each time that level's hand passes it.
const (
	levels   = 4
	slotBits = 6
	slots    = 1 << slotBits
	horizon  = 1<<(levels*slotBits) - 1
	never    = math.MaxInt64
)

type wheel struct {
	now   int64                // ticks handled
	count int                  // timers set
	used  [levels]uint64       // slots that may hold timers
	slot  [levels][slots]Timer // heads of rings
}

func (w *wheel) init(now int64) {
	w.now = now
	for l := range w.slot {
		for s := range w.slot[l] {
			h := &w.slot[l][s]
			h.next, h.prev = h, h
		}
	}
}

// set puts t, which must not be set, where it fires at tick when.
func (w *wheel) set(t *Timer, when int64) {
	t.when = max(when, w.now+1)
	w.count++
	w.place(t)
}

func (w *wheel) stop(t *Timer) {
	if t.Active() {
		t.unlink()
		w.count--
	}
}

func (w *wheel) place(t *Timer) {
	at := min(t.when, w.now+horizon) // beyond it: comes down and is placed again
	level := max(0, bits.Len64(uint64(at-w.now))-1) / slotBits
	s := at >> (level * slotBits) & (slots - 1)
	h := &w.slot[level][s]
	t.prev, t.next = h.prev, h
	h.prev.next, h.prev = t, t
	w.used[level] |= 1 << s
}

// expired takes a timer that fires at or before tick now, or returns nil when
// none is left. The wheel's own time moves on as far as it can.
func (w *wheel) expired(now int64) *Timer {
	for {
		if h := &w.slot[0][w.now&(slots-1)]; h.next != h {
			t := h.next
			w.stop(t)
			return t
		}
		w.used[0] &^= 1 << (w.now & (slots - 1))
		if w.now >= now {
			return nil
		}
		w.step(now)
	}
}

// step moves the hand to the next tick at which there is something to do, but
// not beyond now, and brings timers down from the upper levels.
func (w *wheel) step(now int64) {
	w.now = min(w.next(), now)
	for l := levels - 1; l > 0; l-- {
		if w.now&(1<<(l*slotBits)-1) == 0 {
			w.cascade(l)
		}
	}
}

func (w *wheel) cascade(level int) {
	s := w.now >> (level * slotBits) & (slots - 1)
	w.used[level] &^= 1 << s
	h := &w.slot[level][s]
	for n := h.next; n != h; n = h.next {
		n.unlink()
		w.place(n)
	}
}

// next returns the next tick at which a timer fires or comes down a level. It
// may name a tick too early, for a timer that was stopped, never one too late.
func (w *wheel) next() int64 {
	if w.count == 0 {
		return never
	}
	first := int64(never)
	for l := range w.used {
		if w.used[l] == 0 {
			continue
		}
		hand := w.now >> (l * slotBits)
		turned := bits.RotateLeft64(w.used[l], -int(hand+1)&(slots-1))
		first = min(first, (hand+1+int64(bits.TrailingZeros64(turned)))<<(l*slotBits))
	}
	return first
}
