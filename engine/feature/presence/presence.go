// Package presence tells those who may know who is there (RFC 6121 §4), and
// manages who may know (§3).
package presence

import (
	"bytes"
	"strconv"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

var (
	broadcasts = metric.NewCounter("meerkat_presence_broadcasts_total",
		"Presence sent to all contacts by sessions of ours.")
	delivered = metric.NewCounter("meerkat_presence_delivered_total",
		"Presence written to sessions, each copy counted.")
	probes = metric.NewCounter("meerkat_presence_probes_total",
		"Presence probes answered.")
	directedFull = metric.NewCounter("meerkat_presence_directed_full_total",
		"Directed presence refused because the session has sent it to too many addresses already.")
)

// feat keeps order between subscriptions and presence, for each loop.
type feat struct{ lines []lines }

// New returns the feature. loops is how many there are.
func New(loops int) feature.Feature {
	f := &feat{make([]lines, loops)}
	for i := range f.lines {
		f.lines[i] = make(lines)
	}
	return feature.Feature{
		Name:        "presence",
		Spec:        "RFC 6121 §3, §4",
		PresenceOut: f.out,
		PresenceIn:  f.in,
		Unbound:     unbound,
		Thaw:        thaw,
	}
}

// out is what our session sends.
func (f *feat) out(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	switch {
	case s.Subscription():
		f.outbound(c, s)
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
		b := s.Append(c.Scratch())
		unavailable(c, b)
		c.Keep(b)
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
	n, err := strconv.ParseInt(string(bytes.TrimSpace(p.Text())), 10, 8)
	return int8(n), err == nil
}

// available notes the session's presence and tells the contacts. The first time
// it also asks for theirs, and for what the account's other resources are.
func available(c *feature.Ctx, s *stanza.Stanza, prio int8) {
	initial := !c.Session.Available()
	b := s.Append(c.Scratch())
	c.Session.Presence, c.Session.Priority = exact(c.Session.Presence, b), prio
	spread(c, b, initial)
	c.Keep(b)
	if initial {
		showOthers(c)
		askAgain(c)
	}
}

// exact returns a copy of b, in old if that has room but not much too much: it
// is kept as long as the session.
func exact(old, b []byte) []byte {
	if n := cap(old); n < len(b) || n > 2*len(b)+64 {
		old = make([]byte, 0, len(b))
	}
	return append(old[:0], b...)
}

// spread tells contacts and the account's own available resources, the sender's
// too (RFC 6121 §4.2.2), and probes whom we are subscribed to (§4.3) if asked.
func spread(c *feature.Ctx, b []byte, probe bool) {
	broadcasts.Add(c.Shard(), 1)
	c.View(func(tx *store.Tx) {
		v := roster.Load(tx, c.Owner.String())
		c.Router.Spread(c.Session, b, func(yield func([]byte, feature.Op)) {
			for it := range v.All() {
				if op := opFor(it.State, probe); op != 0 {
					yield(it.JID, op)
				}
			}
			yield([]byte(c.Owner.String()), feature.Deliver)
		})
	})
}

func opFor(s roster.State, probe bool) (op feature.Op) {
	if s&roster.From != 0 {
		op = feature.Deliver
	}
	if probe && s&roster.To != 0 {
		op |= feature.Probe
	}
	return op
}

// showOthers gives a new resource the presence of the account's others.
func showOthers(c *feature.Ctx) {
	for _, o := range c.Account.Sessions {
		if o != c.Session && o.Available() {
			out := address(c.Scratch(), o.Presence, c.Session.JID)
			c.Session.Sink.Write(out)
			c.Keep(out)
			delivered.Add(c.Shard(), 1)
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
				delivered.Add(c.Shard(), 1)
			}
		}
	})
}

// unavailable tells whoever knew, with b, which has no address
// (RFC 6121 §4.5, §4.6.3).
func unavailable(c *feature.Ctx, b []byte) {
	was := c.Session.Available()
	if was {
		c.Session.Presence = nil
		spread(c, b, false)
	}
	to := c.Session.Directed()
	if len(to) == 0 {
		return
	}
	c.View(func(tx *store.Tx) {
		v := roster.Load(tx, c.Owner.String())
		for _, full := range to {
			j, err := jid.Parse(full)
			if err != nil || was && subscribed(v, j.BareString()) {
				continue // has heard of it just now
			}
			out := address(nil, b, j)
			c.Router.Send(j, out)
		}
	})
}

func subscribed(v roster.View, bare string) bool {
	it, ok := v.Find(bare)
	return ok && it.State&roster.From != 0
}

// unbound is unavailable for a session that said nothing (RFC 6121 §4.5.3).
func unbound(c *feature.Ctx) {
	var b xml.Builder
	b.Reset(c.Scratch(), stanza.Client)
	out := b.Start("presence", "").Attr("type", "unavailable").
		Attr("from", c.Session.JID.String()).End().Bytes()
	unavailable(c, out)
	c.Keep(out)
}

// direct notes directed presence to somebody who would not hear of the end of
// it otherwise (RFC 6121 §4.6.3).
func direct(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	known := false
	if bare := s.To.BareString(); c.Session.Available() {
		known = bare == c.Owner.String()
		c.View(func(tx *store.Tx) {
			known = known || subscribed(roster.Load(tx, c.Owner.String()), bare)
		})
	}
	if !known && !c.Session.Direct(s.To.String()) {
		directedFull.Add(c.Shard(), 1)
		c.Fail(s, stanza.ResourceConstraint, "too many addresses with directed presence")
		return feature.Done
	}
	return feature.Continue
}
