package route

import (
	"hash/maphash"
	"unsafe"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// Handle takes a top-level element from a bound session (RFC 6120 §8, §10.3).
// It returns "", or the stream error to end the stream with.
func (r *Router) Handle(s *account.Session, e xml.Elem) string {
	r.enter()
	defer r.leave()
	streamError := r.fromSession(s, e)
	return streamError
}

// seed is of the hashes of addresses.
var seed = maphash.MakeSeed()

func (r *Router) fromSession(s *account.Session, e xml.Elem) string {
	c := &r.out
	c.Account, c.Session, c.Owner = s.Account, s, s.Account.JID
	st := &r.sent
	cond := st.Read(e)
	if cond == stanza.Undefined {
		return r.fromNonza(c, e)
	}
	if !isOwn(s, st.Claimed) {
		return "invalid-from"
	}
	if s.Received++; s.Done != nil && s.Again(print(st)) {
		return ""
	}
	st.From = s.JID
	if st.Lang == nil && s.Lang != "" {
		st.Lang = unsafe.Slice(unsafe.StringData(s.Lang), len(s.Lang)) // read only
	}
	if cond != stanza.OK {
		c.Fail(st, cond, "")
		return ""
	}
	received.Add(r.env.Shard(), int(st.Kind)-1, 1)
	if !st.Repeats() {
		r.peer = peer{}
	}
	if st.Kind == stanza.Message {
		s.Talk.With(r.peer.hashOf(st.To), r.env.Changes)
	}
	if !st.To.IsZero() && st.To.Bare() != c.Owner && run(r.FilterOut, c, st) == feature.Done {
		return ""
	}
	switch st.Kind {
	case stanza.Message:
		r.sendMessage(c, st)
	case stanza.Presence:
		r.sendPresence(c, st)
	default:
		r.sendIQ(c, st)
	}
	return ""
}

// peer is what is known of the address that was written to last: in a burst the
// next stanza is for the same one.
type peer struct {
	hash   uint64
	hashed bool
	home   *Router
}

func (p *peer) hashOf(to jid.JID) uint64 {
	if !p.hashed {
		p.hash, p.hashed = maphash.String(seed, to.BareString()), true
	}
	return p.hash
}

// of returns the home of whom s is for.
func (p *peer) of(r *Router, s *stanza.Stanza) *Router {
	if !s.Straight() {
		return r.home(s.To)
	}
	if p.home == nil {
		p.home = r.home(s.To)
	}
	return p.home
}

// isOwn holds a from attribute against rule 15: absent, own bare or own full
// JID (RFC 6120 §8.1.2.1).
func isOwn(s *account.Session, from []byte) bool {
	if from == nil {
		return true
	}
	f, err := jid.View(from)
	return err == nil && (f == s.JID || f == s.Account.JID)
}

func (r *Router) fromNonza(c *feature.Ctx, e xml.Elem) string {
	h := r.nonza[string(e.Space())]
	if h == nil {
		return "unsupported-stanza-type"
	}
	h(c, e)
	return ""
}

func run(stages []feature.Stage, c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	for _, stage := range stages {
		if stage(c, s) == feature.Done {
			return feature.Done
		}
	}
	return feature.Continue
}

// sendMessage routes a message; without an address it is for the sender's own
// account (RFC 6121 §8.1).
func (r *Router) sendMessage(c *feature.Ctx, s *stanza.Stanza) {
	if s.To.IsZero() {
		s.To = c.Owner
	}
	if run(r.Outbound, c, s) == feature.Continue {
		r.forward(c, s)
	}
}

func (r *Router) sendPresence(c *feature.Ctx, s *stanza.Stanza) {
	if run(r.PresenceOut, c, s) == feature.Continue && !s.To.IsZero() {
		r.forward(c, s)
	}
}

// sendIQ answers what is for the server or the sender's own account, and
// forwards the rest (RFC 6120 §10.3.3, RFC 6121 §8.5).
func (r *Router) sendIQ(c *feature.Ctx, s *stanza.Stanza) {
	switch {
	case s.To.IsZero():
		r.ownIQ(c, s, feature.Own|feature.Server)
	case s.To == c.Owner:
		r.ownIQ(c, s, feature.Own)
	case !s.To.HasLocal() && r.domains.accounts(s.To.Domain()):
		r.serverIQ(c, s)
	default:
		r.forward(c, s)
	}
}

func (r *Router) ownIQ(c *feature.Ctx, s *stanza.Stanza, target feature.Target) {
	if s.Request() {
		r.answerIQ(c, s, target)
		return
	}
	r.answered(c, s)
}

// answered hands an answer to the features, one of which may have asked.
func (r *Router) answered(c *feature.Ctx, s *stanza.Stanza) {
	for _, fn := range r.answers {
		fn(c, s)
	}
}

func (r *Router) serverIQ(c *feature.Ctx, s *stanza.Stanza) {
	if !s.Request() {
		r.answered(c, s)
		return
	}
	if !s.To.IsBare() {
		c.Fail(s, stanza.ServiceUnavailable, "")
		return
	}
	r.answerIQ(c, s, feature.Server)
}

// forward takes s to its recipient: right away where that is on this loop and
// nothing else waits, or as a packet.
func (r *Router) forward(c *feature.Ctx, s *stanza.Stanza) {
	if !r.serves(s.To.Domain()) {
		r.fail(c, s, stanza.RemoteServerNotFound)
		return
	}
	if !s.To.HasLocal() && r.domains.accounts(s.To.Domain()) {
		r.toServer(c, s)
		return
	}
	h := r.peer.of(r, s)
	bit := uint64(1) << (h.env.Loop.Index & 63)
	if h == r && len(r.local) == 0 {
		before := r.env.Issued()
		if c.Session.Lasting {
			r.env.Because(cause(c, s), func() { r.deliver(s) })
		} else {
			r.deliver(s)
		}
		if r.env.Issued() != before {
			c.Session.Unsettled |= bit
		}
		return
	}
	if s.Kind != stanza.IQ {
		c.Session.Unsettled |= bit
	}
	r.ship(c, s, h)
}

// toServer handles what is addressed to the domain itself and is no IQ:
// messages find nobody there, presence is nobody's business (RFC 6121 §8.3).
func (r *Router) toServer(c *feature.Ctx, s *stanza.Stanza) {
	if s.Kind != stanza.Presence {
		r.fail(c, s, stanza.ServiceUnavailable)
	}
}

func (r *Router) fail(c *feature.Ctx, s *stanza.Stanza, cond stanza.Condition) {
	bounced.Add(r.env.Shard(), 1)
	c.Fail(s, cond, "")
}
