package feature

import "meerkat/store"

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

// Collects has issue called when a joint update is made: it calls Update with
// what its feature has collected, if there is something.
func (e *Env) Collects(issue func()) { e.collect = append(e.collect, issue) }

// FullUpdate is from how many bytes on what a feature has collected is not to wait
// for the next turn.
const FullUpdate = 256 << 10

// maxFlying is how many joint updates of a loop wait for the store. While one is
// being written another one waits, so that the writer is never idle; what comes
// meanwhile is collected.
const maxFlying = 2

// Join has a joint update made in the next turn, or as soon as those before allow
// it: one of all features, in their order, that is stored as a whole or not at all.
func (e *Env) Join() {
	if e.next == nil {
		e.next = &family{n: e.updates.issue(), open: 1}
	}
	if e.flying() < maxFlying {
		e.postJoint()
	}
}

// JoinFull is Join for an update that is large: it does not wait for others. What
// the handler that runs collects still belongs to it.
func (e *Env) JoinFull() {
	e.Join()
	e.full = true
	e.postJoint()
}

func (e *Env) postJoint() {
	if e.posted {
		return
	}
	e.posted = true
	if e.makeJoint == nil {
		e.makeJoint = func() {
			e.posted = false
			if e.full || e.flying() < maxFlying {
				e.Router.Run(e.issueJoint)
			}
		}
	}
	e.Loop.Post(e.makeJoint)
}

func (e *Env) flying() int { return len(e.joints) }

// Collected notes that something has been collected for the next joint update. The
// caller calls what it returns, if that is not nil, when it has been stored.
func (e *Env) Collected() (stored func()) {
	e.collected++
	e.Join()
	f := e.family
	if f == nil {
		return nil
	}
	f.open++
	return func() { f.leave(&e.updates) }
}

// joint is an update of several features.
type joint struct {
	family *family
	parts  []part
	over   bool // it has been stored, or not
	err    error
}

type part struct {
	fn   func(tx *store.Tx) error
	done func(err error)
}

// issueJoint makes the update that Join wants, unless that has been done.
func (e *Env) issueJoint() {
	if e.next == nil || e.joint != nil {
		return
	}
	j := &joint{family: e.next}
	e.next, e.joint, e.full = nil, j, false
	defer e.send(j) // what there is, also after a panic
	for _, issue := range e.collect {
		issue()
	}
}

func (e *Env) send(j *joint) {
	e.joint = nil
	if len(j.parts) == 0 {
		j.family.leave(&e.updates)
		return
	}
	e.joints = append(e.joints, j)
	parts := j.parts
	e.Store.Update(func(tx *store.Tx) error {
		for _, p := range parts {
			if err := p.fn(tx); err != nil {
				return err
			}
		}
		return nil
	}, func(err error) {
		e.Loop.Post(func() {
			j.over, j.err = true, err
			e.land()
		})
	})
}

// land ends the joint updates that are over, in order: one that the store has
// refused at once waits for those before it.
func (e *Env) land() {
	for len(e.joints) > 0 && e.joints[0].over && e.tell(e.joints[0]) {
		j := e.joints[0]
		e.joints = e.joints[1:]
		e.Router.Run(func() { j.family.leave(&e.updates) })
	}
	if e.flying() < maxFlying {
		e.Router.Run(e.issueJoint)
	}
}

// tell tells the parts of j, in order, how it has ended. After a panic of one,
// which the loop survives, the others are told in another turn.
func (e *Env) tell(j *joint) (told bool) {
	defer func() {
		if !told {
			e.Loop.Post(e.land)
		}
	}()
	e.Router.Run(func() {
		outer := e.family
		defer func() { e.family = outer }()
		e.family = j.family
		for len(j.parts) > 0 {
			p := j.parts[0]
			j.parts = j.parts[1:]
			e.Because(Cause{}, func() { p.done(j.err) })
		}
	})
	return true
}
