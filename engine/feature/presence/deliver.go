package presence

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// in is what reaches an account of ours.
func (f *feat) in(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	switch {
	case s.Subscription():
		f.inbound(c, s)
	case s.Type == stanza.Probe:
		answerProbe(c, s)
	default:
		f.deliver(c, s)
	}
	return feature.Done
}

// deliver hands presence to all available resources, or to the one addressed
// (RFC 6121 §8.5.2.1.2, §8.5.3.1). Nobody there: dropped in silence.
func (f *feat) deliver(c *feature.Ctx, s *stanza.Stanza) {
	if c.Account == nil || s.Type == stanza.Error && !s.To.IsFull() {
		return
	}
	b := serialise(c.Scratch(), s)
	if !f.lines[c.Shard()].hold(c.Owner, s.To, b) {
		hand(c.Env, c.Account, s.To, b)
	}
	c.Keep(b)
}

// serialise is s.Append, faster where the sender's loop has written s already,
// but for the address: what Spread brings.
func serialise(dst []byte, s *stanza.Stanza) []byte {
	raw := s.Elem.Raw()
	if s.Type == stanza.Available || s.Type == stanza.Unavailable {
		if len(raw) > 0 && s.Elem.Attr("to") == nil && s.Strip == nil && len(s.Tail) == 0 {
			return address(dst, raw, s.To)
		}
	}
	return s.Append(dst)
}

// hand writes presence b to those sessions of a that to means.
func hand(e *feature.Env, a *account.Account, to jid.JID, b []byte) {
	for _, s := range a.Sessions {
		if to.IsFull() && s.JID == to || !to.IsFull() && s.Available() {
			s.Sink.Write(b)
			delivered.Add(e.Shard(), 1)
		}
	}
}

// answerProbe tells s.From what it may know (RFC 6121 §4.3.2).
//
// Differs from there: a probe that the server itself sends at a login is not
// answered for whoever is away, which the client assumes.
func answerProbe(c *feature.Ctx, s *stanza.Stanza) {
	asked := string(s.Elem.Attr("type")) == "probe"
	present := c.Account != nil && c.Account.Present()
	if !present && !asked {
		return
	}
	probes.Add(c.Shard(), 1)
	if !mayKnow(c, s.From) {
		reply(c.Env, c.Owner, s.From, stanza.Unsubscribed)
		return
	}
	if !(present && show(c, s)) && asked {
		reply(c.Env, c.Owner, s.From, stanza.Unavailable)
	}
}

// show sends the presence of all available resources, or of the one asked for.
func show(c *feature.Ctx, s *stanza.Stanza) (found bool) {
	for _, o := range c.Account.Sessions {
		if !o.Available() || o.JID == s.From || s.To.IsFull() && o.JID != s.To {
			continue
		}
		found = true
		b := address(c.Scratch(), o.Presence, s.From)
		c.Router.Send(s.From, b)
		c.Keep(b)
	}
	return found
}

func mayKnow(c *feature.Ctx, who jid.JID) (ok bool) {
	if who.BareString() == c.Owner.String() {
		return true
	}
	c.View(func(tx *store.Tx) {
		ok = subscribed(roster.Load(tx, c.Owner.String()), who.BareString())
	})
	return ok
}

// start is how every presence begins that stanza.Append or a builder of ours has
// written.
const start = "<presence"

// address appends presence b, which has no to, with one.
func address(dst, b []byte, to jid.JID) []byte {
	var w xml.Builder
	w.Reset(dst, stanza.Client).Start("presence", "").Attr("to", to.String())
	return append(w.Bytes(), b[len(start):]...)
}

// reply sends presence of a type that has no content.
func reply(e *feature.Env, from, to jid.JID, t stanza.Type) {
	var b xml.Builder
	b.Reset(e.Scratch(), stanza.Client)
	out := b.Start("presence", "").Attr("type", t.String()).
		Attr("from", from.String()).Attr("to", to.String()).End().Bytes()
	e.Router.Send(to, out)
	e.Keep(out)
}
