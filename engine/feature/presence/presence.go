// Package presence tells those who may know who is there (RFC 6121 §4), and
// manages who may know (§3).
package presence

import (
	"strconv"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/metric"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

var (
	broadcasts = metric.NewCounter("meerkat_presence_broadcasts_total",
		"Presence sent to all contacts by sessions of ours.")
	probes = metric.NewCounter("meerkat_presence_probes_total",
		"Presence probes answered.")
	subscriptions = metric.NewCounter("meerkat_presence_subscriptions_total",
		"Subscription stanzas handled, outbound and inbound.")
)

// New returns the feature.
func New() feature.Feature {
	return feature.Feature{
		Name:        "presence",
		Spec:        "RFC 6121 §3, §4",
		PresenceOut: out,
		PresenceIn:  in,
		Unbound:     unbound,
	}
}

// out is what our session sends.
func out(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	switch {
	case s.Subscription():
		outboundSubscription(c, s)
		return feature.Done
	case s.To.IsZero():
		return broadcast(c, s)
	case s.Type == stanza.Available:
		return direct(c, s)
	case s.Type == stanza.Unavailable:
		c.Session.Undirect(s.To.String())
	}
	return feature.Continue
}

// broadcast handles presence without an address (RFC 6121 §4.2, §4.4, §4.5).
func broadcast(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	switch s.Type {
	case stanza.Available:
		prio, ok := priority(s.Elem)
		if !ok {
			c.Fail(s, stanza.BadRequest, "a priority is a number from -128 to 127")
			return feature.Done
		}
		available(c, s, prio)
		return feature.Continue
	case stanza.Unavailable:
		unavailable(c, s)
		return feature.Continue
	}
	return feature.Done // a probe or an error to nobody
}

// priority reads RFC 6121 §4.7.2.3; absent is 0.
func priority(e xml.Elem) (int8, bool) {
	p := e.Child("priority", stanza.Client)
	if !p.OK() {
		return 0, true
	}
	n, err := strconv.ParseInt(string(p.Text()), 10, 8)
	return int8(n), err == nil
}

// available notes the session's presence and tells the contacts. The first time
// it also asks for theirs, and for what the account's other resources are.
func available(c *feature.Ctx, s *stanza.Stanza, prio int8) {
	initial := !c.Session.Available()
	p := loop.NewPacket()
	p.B = s.Append(p.B[:0])
	if old := c.Session.Presence; old != nil {
		old.Release()
	}
	c.Session.Presence, c.Session.Priority = p, prio
	spread(c, p.B, initial)
	if initial {
		showOthers(c)
		askAgain(c)
	}
}

// spread tells contacts and the account's own available resources, the sender's
// too (RFC 6121 §4.2.2), and probes whom we are subscribed to (§4.3) if asked.
func spread(c *feature.Ctx, b []byte, probe bool) {
	broadcasts.Add(c.Shard(), 1)
	c.View(func(tx *store.Tx) {
		v := roster.Load(tx, c.Owner.String())
		c.Router.Spread(b, func(yield func([]byte, feature.Op)) {
			for it := range v.All() {
				var op feature.Op
				if it.State&roster.From != 0 {
					op = feature.Deliver
				}
				if probe && it.State&roster.To != 0 {
					op |= feature.Probe
				}
				if op != 0 {
					yield(it.JID, op)
				}
			}
			yield([]byte(c.Owner.String()), feature.Deliver)
		})
	})
}

// showOthers gives a new resource the presence of the account's others.
func showOthers(c *feature.Ctx) {
	for _, o := range c.Account.Sessions {
		if o != c.Session && o.Available() {
			writeTo(c.Env, o.Presence.B, c.Session)
		}
	}
}

// askAgain delivers the requests that still wait for an answer
// (RFC 6121 §3.1.3).
func askAgain(c *feature.Ctx) {
	c.View(func(tx *store.Tx) {
		for it := range roster.Load(tx, c.Owner.String()).All() {
			if it.State&roster.In != 0 && len(it.Request) > 0 {
				c.Session.Sink.Write(it.Request)
			}
		}
	})
}

// unavailable tells whoever knew (RFC 6121 §4.5, §4.6.3).
func unavailable(c *feature.Ctx, s *stanza.Stanza) {
	b := s.Append(nil)
	was := c.Session.Available()
	if was {
		c.Session.Presence.Release()
		c.Session.Presence = nil
		spread(c, b, false)
	}
	for _, to := range c.Session.Directed() {
		if j, err := jid.Parse(to); err == nil {
			c.Router.Send(j, address(nil, b, j))
		}
	}
}

// unbound is unavailable for a session that said nothing (RFC 6121 §4.5.3).
func unbound(c *feature.Ctx) {
	var doc xml.Doc
	e, err := doc.Parse([]byte("<presence type='unavailable'/>"), stanza.Client)
	if err != nil {
		panic(err)
	}
	s := stanza.Stanza{Kind: stanza.Presence, Type: stanza.Unavailable, From: c.Session.JID, Elem: e}
	unavailable(c, &s)
}

// direct notes directed presence to somebody who would not hear of the end of
// it otherwise (RFC 6121 §4.6.3).
func direct(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	bare, subscribed := s.To.BareString(), false
	c.View(func(tx *store.Tx) {
		it, ok := roster.Load(tx, c.Owner.String()).Find(bare)
		subscribed = ok && it.State&roster.From != 0
	})
	if subscribed && c.Session.Available() {
		return feature.Continue
	}
	if !c.Session.Direct(s.To.Clone().String()) {
		c.Fail(s, stanza.ResourceConstraint, "too many addresses with directed presence")
		return feature.Done
	}
	return feature.Continue
}

// in is what reaches an account of ours.
func in(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	switch {
	case s.Subscription():
		inboundSubscription(c, s)
	case s.Type == stanza.Probe:
		answerProbe(c, s)
	default:
		deliver(c, s)
	}
	return feature.Done
}

// deliver hands presence to all available resources, or to the one addressed
// (RFC 6121 §8.5.2.1.1, §8.5.3.1). Nobody there: dropped in silence.
func deliver(c *feature.Ctx, s *stanza.Stanza) {
	if c.Account == nil || s.Type == stanza.Error && !s.To.IsFull() {
		return
	}
	b := s.Append(c.Scratch())
	for _, to := range c.Account.Sessions {
		if s.To.IsFull() && to.JID == s.To || !s.To.IsFull() && to.Available() {
			to.Sink.Write(b)
			delivered.Add(c.Shard(), 1)
		}
	}
	c.Keep(b)
}

var delivered = metric.NewCounter("meerkat_presence_delivered_total",
	"Presence written to sessions, each copy counted.")

// answerProbe tells s.From what it may know (RFC 6121 §4.3.2).
func answerProbe(c *feature.Ctx, s *stanza.Stanza) {
	probes.Add(c.Shard(), 1)
	if !mayKnow(c, s.From) {
		reply(c.Env, c.Owner, s.From, stanza.Unsubscribed)
		return
	}
	found := false
	if c.Account != nil {
		for _, o := range c.Account.Sessions {
			if o.Available() && o.JID != s.From {
				found = true
				b := address(c.Scratch(), o.Presence.B, s.From)
				c.Router.Send(s.From, b)
				c.Keep(b)
			}
		}
	}
	// Differs from RFC 6121 §4.3.2: the probes that the server itself sends at
	// a login are not answered with unavailable, which the client assumes.
	if !found && string(s.Elem.Attr("type")) == "probe" {
		reply(c.Env, c.Owner, s.From, stanza.Unavailable)
	}
}

func mayKnow(c *feature.Ctx, who jid.JID) (ok bool) {
	if who.BareString() == c.Owner.String() {
		return true
	}
	c.View(func(tx *store.Tx) {
		it, found := roster.Load(tx, c.Owner.String()).Find(who.BareString())
		ok = found && it.State&roster.From != 0
	})
	return ok
}

// address appends presence b with another to.
func address(dst, b []byte, to jid.JID) []byte {
	var doc xml.Doc
	e, err := doc.Parse(b, stanza.Client)
	if err != nil {
		panic("presence: our own presence does not parse: " + err.Error())
	}
	return e.AppendEdited(dst, stanza.Client, &xml.Edit{To: []byte(to.String())})
}

// writeTo writes presence b to a session of our own loop.
func writeTo(e *feature.Env, b []byte, to *account.Session) {
	out := address(e.Scratch(), b, to.JID)
	to.Sink.Write(out)
	e.Keep(out)
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
