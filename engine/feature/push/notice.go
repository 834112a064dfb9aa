package push

import (
	"strings"
	"unicode/utf8"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// Inbound is a stage before delivery: it notifies the clients that are not there.
// What comes again has been told of before.
func (f *Feature) Inbound(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if s.Again || s.Type != stanza.Normal && s.Type != stanza.Chat {
		return feature.Continue
	}
	list := f.of(c.Env, c.Account, c.Owner.String())
	if len(list) == 0 {
		return feature.Continue
	}
	n := worth(s.Elem)
	if n.from = s.From.String(); !n.counts || bounces(c, s) {
		return feature.Continue
	}
	for i := range list {
		if c.Account == nil || c.Account.Find(list[i].resource) == nil {
			f.sender(c.Env, &list[i], c.Owner).add(n)
		}
	}
	return feature.Continue
}

// PresenceIn is a stage before subscriptions: somebody asks, and nobody is there to be
// asked. Who has been answered beforehand asks nobody.
func (f *Feature) PresenceIn(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if s.Type != stanza.Subscribe {
		return feature.Continue
	}
	list := f.of(c.Env, c.Account, c.Owner.String())
	if len(list) == 0 || answered(c, s.From.BareString()) {
		return feature.Continue
	}
	for i := range list {
		if c.Account == nil || c.Account.Find(list[i].resource) == nil {
			f.sender(c.Env, &list[i], c.Owner).add(news{asks: true})
		}
	}
	return feature.Continue
}

// answered reports whether bare has, or is to get, what it asks for, or has asked
// before.
func answered(c *feature.Ctx, bare string) (is bool) {
	c.View(func(tx *store.Tx) {
		it, found := roster.Load(tx, c.Owner.String()).Find(bare)
		is = found && it.State&(roster.From|roster.Approved|roster.In) != 0
	})
	return is
}

// bounces reports a message that nobody will get: of type normal, for a resource
// that is not there (RFC 6121 §8.5.3.2.1).
func bounces(c *feature.Ctx, s *stanza.Stanza) bool {
	return s.Type == stanza.Normal && s.To.IsFull() && (c.Account == nil || c.Account.Find(s.To.Resource()) == nil)
}

// Missed hears of a stanza for a session that has no stream, or whose client says
// that nobody looks.
func (f *Feature) Missed(e *feature.Env, s *account.Session, b []byte) {
	list := f.of(e, s.Account, s.Account.JID.String())
	if len(list) == 0 {
		return
	}
	var doc xml.Doc
	el, err := doc.Parse(b, stanza.Client)
	if err != nil {
		return
	}
	n := judge(el, s.Account.JID.String())
	for i := range list {
		if (n.counts || n.asks) && list[i].resource == s.JID.Resource() {
			f.sender(e, &list[i], s.Account.JID).add(n)
		}
	}
}

// Left hears of a session that has lost its stream, and of what its client has not
// acknowledged. A client that was inactive has been notified of it already.
func (f *Feature) Left(e *feature.Env, s *account.Session, each func(yield func(b []byte))) {
	if f.inactive(s) || len(f.of(e, s.Account, s.Account.JID.String())) == 0 {
		return
	}
	each(func(b []byte) { f.Missed(e, s, b) })
}

// summary says what is told of a message, by the options: nothing by default.
func (n *news) summary(e *feature.Env) (from, body string) {
	if e.Config.Push.Sender {
		from = n.from
	}
	if e.Config.Push.Body && !n.sealed {
		body = strings.Clone(cut(n.body, maxBody)) // it is kept
	}
	return from, body
}

// cut shortens s to at most max bytes of whole letters.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}
