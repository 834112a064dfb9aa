// Package carbons shows all of a user's devices both sides of every
// conversation (XEP-0280 1.0.1).
package carbons

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

const (
	space   = "urn:xmpp:carbons:2"
	rules   = "urn:xmpp:carbons:rules:0"
	forward = "urn:xmpp:forward:0"
)

// copied / enabled is how many copies a carbons client costs.
var (
	enabled = metric.NewCounter("meerkat_carbons_enabled_total",
		"Times that a session turned carbons on.")
	copied = metric.NewCounter("meerkat_carbons_copies_total",
		"Copies written to sessions, of sent and received messages.")
	copiedBytes = metric.NewCounter("meerkat_carbons_bytes_total",
		"XML bytes of those copies.")
)

// Feature is carbons: requests, and two stages for engine/order.go.
type Feature struct {
	on account.Flag // the session wants copies
}

// New returns the feature. flags gives it its bit of Session.
func New(flags *account.Flags) (feature.Feature, *Feature) {
	f := &Feature{on: flags.New("carbons")}
	return feature.Feature{
		Name:  "carbons",
		Spec:  "XEP-0280",
		Disco: []string{space, rules},
		IQ: []feature.IQ{
			feature.SetIQ(feature.Own|feature.Server, space, "enable", f.enable),
			feature.SetIQ(feature.Own|feature.Server, space, "disable", f.disable),
			feature.SetIQ(feature.Other, space, "enable", notAllowed),
			feature.SetIQ(feature.Other, space, "disable", notAllowed),
		},
		Inline: &feature.Inline{Space: space, Handle: func(c *feature.Ctx, e xml.Elem, done func([]byte)) {
			if e.Is("enable", space) {
				f.Enable(c.Session, c.Shard())
			}
			done(nil)
		}},
		Freeze: f.freeze,
		Thaw:   f.thaw,
	}, f
}

// enable turns copies on; again is no error (XEP-0280 §10.1).
func (f *Feature) enable(c *feature.Ctx, q *stanza.Stanza) {
	if !f.mine(c, q) {
		return
	}
	f.Enable(c.Session, c.Shard())
	c.Result(q, nil)
}

// Enable turns copies on for s, as the request does.
func (f *Feature) Enable(s *account.Session, shard int) {
	s.Set(f.on)
	enabled.Add(shard, 1)
}

func (f *Feature) freeze(s *account.Session, b []byte) []byte {
	if s.Has(f.on) {
		b = append(b, 1)
	}
	return b
}

func (f *Feature) thaw(c *feature.Ctx, b []byte) {
	if len(b) > 0 {
		c.Session.Set(f.on)
	}
}

func (f *Feature) disable(c *feature.Ctx, q *stanza.Stanza) {
	if !f.mine(c, q) {
		return
	}
	c.Session.Clear(f.on)
	c.Result(q, nil)
}

// mine refuses what no session of ours has sent (XEP-0280 §4.1).
func (f *Feature) mine(c *feature.Ctx, q *stanza.Stanza) bool {
	if c.Session == nil {
		notAllowed(c, q)
	}
	return c.Session != nil
}

// notAllowed refuses to change what another account's client gets (§4.1, §5.1).
func notAllowed(c *feature.Ctx, q *stanza.Stanza) { c.Fail(q, stanza.NotAllowed, "") }

// Outbound is a stage that shows a message to the sender's other sessions
// (XEP-0280 §8). Where there is an archive it runs with the message as it is
// there, so that copies carry its stanza-id.
func (f *Feature) Outbound(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if len(c.Account.Sessions) < 2 || s.To.Bare() == c.Owner || !eligible(s) {
		return feature.Continue // to oneself: the other sessions get it anyway
	}
	f.copy(c, s, "sent", func(to *account.Session) bool { return to != c.Session })
	return feature.Continue
}

// Inbound returns a stage that delivers by RFC 6121 with deliver, and then shows
// the message to the sessions that did not get it (XEP-0280 §7).
func (f *Feature) Inbound(deliver feature.Stage) feature.Stage {
	return func(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
		v := deliver(c, s)
		if a := c.Account; a != nil && f.wanted(a) && accepted(a, s) && eligible(s) && !fromRoom(s) {
			f.copy(c, s, "received", func(to *account.Session) bool {
				return !gets(a, to, s) && to.JID != s.From && !to.Refused(s) // from oneself: not to the one who wrote
			})
		}
		return v
	}
}

func (f *Feature) wanted(a *account.Account) bool {
	for _, s := range a.Sessions {
		if s.Has(f.on) {
			return true
		}
	}
	return false
}

// accepted reports whether a message was delivered or is kept, by RFC 6121
// §8.5.4: what is for a resource that is gone is taken over by the others only
// if it is of type chat.
func accepted(a *account.Account, s *stanza.Stanza) bool {
	return s.To.IsBare() && s.Type != stanza.Error || s.Type == stanza.Chat || a.Find(s.To.Resource()) != nil
}

// gets reports whether RFC 6121 §8.5 hands s to this session.
func gets(a *account.Account, to *account.Session, s *stanza.Stanza) bool {
	if s.To.IsFull() && a.Find(s.To.Resource()) != nil {
		return to.JID == s.To
	}
	return to.Available() && to.Priority >= 0
}

// copy wraps s in a copy for each session that wants one and that to names. What
// the copies have in common is built once.
func (f *Feature) copy(c *feature.Ctx, s *stanza.Stanza, kind string, to func(*account.Session) bool) {
	var b []byte
	inner := 0
	for _, session := range c.Account.Sessions {
		if !session.Has(f.on) || !to(session) {
			continue
		}
		if b == nil {
			b = wrap(c.Scratch(), s, kind)
			inner = len(b)
		}
		b = address(b[:inner], c, s, session)
		session.Sink.Write(b[inner:])
		copied.Add(c.Shard(), 1)
		copiedBytes.Add(c.Shard(), uint64(len(b)-inner))
	}
	if b != nil {
		c.Keep(b)
	}
}

// wrap appends s in <sent/> or <received/>.
func wrap(dst []byte, s *stanza.Stanza, kind string) []byte {
	dst = append(append(append(dst, '<'), kind...), " xmlns='"+space+"'><forwarded xmlns='"+forward+"'>"...)
	dst = s.AppendIn(dst, forward)
	return append(append(append(dst, "</forwarded></"...), kind...), '>')
}

// address appends to content the message that has it as content.
func address(content []byte, c *feature.Ctx, s *stanza.Stanza, to *account.Session) []byte {
	var b xml.Builder
	b.Reset(content, stanza.Client)
	b.Start("message", "")
	if s.Type != stanza.Normal {
		b.Attr("type", s.Type.String())
	}
	b.Attr("from", c.Owner.String()).Attr("to", to.JID.String())
	return b.Raw(content).End().Bytes()
}
