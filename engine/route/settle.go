package route

import (
	"meerkat/engine/account"
	"meerkat/engine/loop"
)

// settling finds out when the loops that a session's stanzas went to have
// stored them. A packet to each goes behind those stanzas and comes back when
// that loop's updates are committed.
type settling struct {
	session *account.Session // nil: done is called
	done    func()
	home    *Router
	left    int // loops not heard of
}

// Settle calls s.Settled once all that s sent so far is stored. See
// account.Settler.
func (r *Router) Settle(s *account.Session) {
	w := &settling{session: s, home: r}
	mask := s.Unsettled
	s.Unsettled = 0
	r.enter()
	defer r.leave()
	for i, to := range r.routers {
		if mask&(1<<(i&63)) != 0 {
			w.left++
			r.post(to, settlePacket(kindSettle, w))
		}
	}
	if w.left == 0 { // nothing new: only the turn has to end first
		w.left = 1
		r.post(r, settlePacket(kindSettled, w))
	}
}

// WhenStored calls fn once all that has been fanned from this loop so far is
// stored, where sessions keep it. See feature.Router.
func (r *Router) WhenStored(fn func()) {
	w := &settling{done: fn, home: r, left: len(r.routers)}
	r.enter()
	defer r.leave()
	for _, to := range r.routers {
		r.post(to, settlePacket(kindSettle, w))
	}
}

func settlePacket(kind uint8, w *settling) *loop.Packet {
	p := loop.NewPacket()
	p.Kind, p.Ref = kind, w
	return p
}

func (r *Router) handleSettle(w *settling) {
	if w.session == nil {
		r.settleBehind(w, r.fans.served+uint64(len(r.fans.waiting)))
		return
	}
	r.tellSettled(w)
}

// settleBehind is handleSettle once so much of what was fanned has been served,
// which may take turns.
func (r *Router) settleBehind(w *settling, served uint64) {
	if r.fans.served < served {
		r.env.Loop.Post(func() { r.Run(func() { r.settleBehind(w, served) }) })
		return
	}
	r.tellSettled(w)
}

func (r *Router) tellSettled(w *settling) {
	r.env.WhenSettled(func() { r.post(w.home, settlePacket(kindSettled, w)) })
}

func (r *Router) handleSettled(w *settling) {
	if w.left--; w.left > 0 {
		return
	}
	if w.session == nil {
		w.done()
		return
	}
	w.session.Settled(r)
}
