package route

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
)

// Kinds of packets between routers.
const (
	kindStanza  uint8 = iota + 1 // B is a stanza with from and to
	kindShip                     // B are stanzas of our sessions; X what is known of them, see ship.go
	kindSpread                   // B is presence with from; X its targets, see spread.go
	kindSettle                   // Ref is a *settling to be told when this loop has stored what came before
	kindSettled                  // Ref is a *settling: one loop has
	kindFan                      // B is a stanza with from; X its targets, see fan.go
	kindBatch                    // B is stanzas, one behind the other; X whom they are for and where they end, see batch.go
	kindAgain                    // B is a message as in kindStanza, see feature.Router.Redeliver
)

// receive is where packets from other loops arrive.
func (r *Router) receive(p *loop.Packet) {
	r.enter()
	defer r.leave()
	r.handle(p)
}

// handle deals with p and frees it.
func (r *Router) handle(p *loop.Packet) {
	if p.Kind != kindFan && p.Kind != kindBatch {
		r.inOrder()
	}
	switch p.Kind {
	case kindStanza, kindAgain:
		r.handleStanza(p)
	case kindShip:
		r.handleShip(p)
	case kindSpread:
		r.handleSpread(p)
	case kindFan, kindBatch:
		r.handleFan(p)
	case kindSettle:
		r.handleSettle(p.Ref.(*settling))
	case kindSettled:
		r.handleSettled(p.Ref.(*settling))
	}
	r.env.Loop.Release(p)
}

func (r *Router) handleStanza(p *loop.Packet) {
	if r.read(p.B) && !r.got.To.IsZero() {
		r.got.Relayed()
		r.got.Again = p.Kind == kindAgain
		r.deliver(&r.got)
	}
}

// read parses a stanza that one of our own routers has written into r.got.
func (r *Router) read(b []byte) bool {
	e, err := r.doc.Parse(b, stanza.Client)
	if err != nil {
		r.env.Log.Error("a routed stanza does not parse", "err", err, "bytes", len(b))
		return false
	}
	if c := r.got.Read(e); c != stanza.OK {
		r.env.Log.Error("a routed stanza is not sound", "condition", c.String())
		return false
	}
	r.got.From, err = jid.View(r.got.Claimed)
	return err == nil
}

// deliver takes s to an account of this loop.
func (r *Router) deliver(s *stanza.Stanza) {
	c := &r.in
	c.Session, c.Account = nil, r.env.Accounts.Get(s.To.BareString())
	if c.Account != nil {
		c.Owner = c.Account.JID
	} else {
		c.Owner = s.To.Bare()
	}
	if d := r.domains.find(s.To.Domain()); d != nil && d.service != nil {
		c.Origin = r.env.Cause()
		r.env.Because(feature.Cause{}, func() { d.service(c, s) }) // one stanza becomes many
		return
	}
	if run(r.FilterIn, c, s) == feature.Continue {
		r.Pass(c, s)
	}
}

// Pass takes s on from behind the filters. See feature.Router.
func (r *Router) Pass(c *feature.Ctx, s *stanza.Stanza) {
	switch s.Kind {
	case stanza.Message:
		run(r.Inbound, c, s)
	case stanza.Presence:
		run(r.PresenceIn, c, s)
	case stanza.IQ:
		r.deliverIQ(c, s)
	}
}

// deliverIQ follows RFC 6121 §8.5.1-8.5.3: the server answers for the bare JID,
// a full JID's resource for itself.
func (r *Router) deliverIQ(c *feature.Ctx, s *stanza.Stanza) {
	if !s.To.IsFull() {
		if s.Request() {
			r.answerIQ(c, s, feature.Other)
		}
		return
	}
	if to := find(c.Account, s.To); to != nil {
		Write(c, to, s)
		return
	}
	c.Fail(s, stanza.ServiceUnavailable, "")
}

func find(a *account.Account, to jid.JID) *account.Session {
	if a == nil {
		return nil
	}
	return a.Find(to.Resource())
}

// Write writes s to a session of c's loop.
func Write(c *feature.Ctx, to *account.Session, s *stanza.Stanza) {
	if b := s.Ready(); b != nil {
		to.Sink.Write(b)
	} else {
		b = s.Append(c.Scratch())
		to.Sink.Write(b)
		c.Keep(b)
	}
	delivered.Add(c.Shard(), int(s.Kind)-1, 1)
}
