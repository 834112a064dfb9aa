package feature

// updates knows which of a loop's updates have ended. Committed ones end in the
// order of issue, but what the store refuses ends at once, before others.
type updates struct {
	issued  uint64
	settled uint64 // all up to this one have ended
	ended   []bool // of those after settled, in order
	waiters []waiter
}

type waiter struct {
	at uint64
	fn func()
}

// issue returns the number of a new update, from 1.
func (u *updates) issue() uint64 {
	u.issued++
	u.ended = append(u.ended, false)
	return u.issued
}

// end notes that update n has ended, and calls who waited for no other.
func (u *updates) end(n uint64) {
	u.ended[n-u.settled-1] = true
	for len(u.ended) > 0 && u.ended[0] {
		u.ended = u.ended[1:]
		u.settled++
	}
	for len(u.waiters) > 0 && u.waiters[0].at <= u.settled {
		fn := u.waiters[0].fn
		u.waiters = u.waiters[1:]
		fn()
	}
}

func (u *updates) whenSettled(fn func()) {
	if u.issued == u.settled {
		fn()
		return
	}
	u.waiters = append(u.waiters, waiter{u.issued, fn})
}

// family is an update and what its done has begun: the update has ended for who
// waits when all of them have.
type family struct {
	n      uint64
	open   int
	parent *family // in whose done it was issued
}

// leave ends one member.
func (f *family) leave(u *updates) {
	for ; f != nil; f = f.parent {
		if f.open--; f.open > 0 {
			return
		}
		u.end(f.n)
	}
}

// Collected notes that something has been collected to be issued later, see
// BeforeSettling. The caller calls what it returns when that has been stored.
func (e *Env) Collected() (stored func()) {
	e.collected++
	f := e.family
	if f == nil {
		return nil
	}
	f.open++
	return func() { f.leave(&e.updates) }
}
