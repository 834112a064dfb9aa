package blocking

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// FilterIn is the stage that refuses what the recipient does not want, so that
// it looks offline to the sender (XEP-0191 §3.3).
func (f *Feature) FilterIn(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if c.Account != nil && !c.Account.Choosy {
		return feature.Continue // nearly everybody
	}
	if s.From.BareString() == c.Owner.String() || !f.unwanted(c, s) {
		return feature.Continue
	}
	refusedIn.Add(c.Shard(), 1)
	if s.Kind == stanza.Message && s.Type != stanza.Groupchat || s.Request() {
		c.Fail(s, stanza.ServiceUnavailable, "")
	}
	return feature.Done
}

func hasActive(a *account.Account, f *Feature) bool {
	for _, s := range a.Sessions {
		if f.active.Of(s.Slots) != nil {
			return true
		}
	}
	return false
}

// unwanted judges by the list of the session that s is for, or by all there are
// for the account: one that wants it is enough.
func (f *Feature) unwanted(c *feature.Ctx, s *stanza.Stanza) bool {
	w := f.about(c.Env, c.Owner.String(), s.From, kindOf(s, false))
	if c.Account == nil {
		return loadLogged(c.Env, c.Owner.String()).fallback().denies(w)
	}
	if s.To.IsFull() {
		if to := c.Account.Find(s.To.Resource()); to != nil {
			return f.of(to).denies(w)
		}
	}
	if !hasActive(c.Account, f) {
		return f.lists.Of(c.Account.Slots).fallback().denies(w)
	}
	for _, to := range c.Account.Sessions {
		if !f.of(to).denies(w) {
			return false
		}
	}
	return true
}

// of returns the list that is in force for a session: its active one, else the
// default; nil allows all (XEP-0016 §2.2).
func (f *Feature) of(s *account.Session) *list {
	l := f.lists.Of(s.Account.Slots)
	if name := f.active.Of(s.Slots); name != nil {
		return l.find(*name)
	}
	return l.fallback()
}

func (f *Feature) about(e *feature.Env, owner string, j jid.JID, k kinds) *who {
	return &who{jid: j, kind: k, roster: func() (contact roster.Contact, ok bool) {
		e.View(func(tx *store.Tx) {
			var it roster.Item
			if it, ok = roster.Load(tx, owner).Find(j.BareString()); ok {
				contact = it.Clone()
			}
		})
		return contact, ok
	}}
}

// FilterOut is the stage that keeps a session from talking to whom it blocks
// (XEP-0191 §3.3).
func (f *Feature) FilterOut(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	d := f.of(c.Session)
	if d == nil || !d.denies(f.about(c.Env, c.Owner.String(), s.To, kindOf(s, true))) {
		return feature.Continue
	}
	refusedOut.Add(c.Shard(), 1)
	c.FailWith(s, stanza.Blocked, func(b *xml.Builder) {
		b.Start("blocked", "urn:xmpp:blocking:errors").End()
	})
	return feature.Done
}

// Hides returns what tells the contacts that may not see s's presence, nil if
// all may.
func (f *Feature) Hides(e *feature.Env, s *account.Session) func(bare []byte) bool {
	d := f.of(s)
	if d == nil {
		return nil
	}
	owner := s.Account.JID.String()
	return func(bare []byte) bool {
		j, err := jid.View(bare)
		return err == nil && string(bare) != owner && d.denies(f.about(e, owner, j, presenceOut))
	}
}

// Unwanted returns what tells stored messages that s does not want, nil if it wants
// all.
func (f *Feature) Unwanted(e *feature.Env, s *account.Session) func(b []byte) bool {
	d := f.of(s)
	if d == nil {
		return nil
	}
	owner := s.Account.JID.String()
	return func(b []byte) bool {
		var doc xml.Doc
		m, err := doc.Parse(b, stanza.Client)
		if err != nil {
			return false
		}
		j, err := jid.View(m.Attr("from"))
		return err == nil && j.BareString() != owner && d.denies(f.about(e, owner, j, messages))
	}
}

// HidesEvents returns what tells the contacts that may not hear of an account's
// events, whoever of its sessions is here; nil if all may.
func (f *Feature) HidesEvents(e *feature.Env, owner jid.JID) func(bare []byte) bool {
	d := loadLogged(e, owner.String()).fallback()
	if d == nil {
		return nil
	}
	return func(bare []byte) bool {
		j, err := jid.View(bare)
		return err == nil && string(bare) != owner.String() && d.denies(f.about(e, owner.String(), j, presenceOut))
	}
}

// refuses lets a session with an active list of its own judge what is for the
// account, once there is such a session.
func (f *Feature) refuses(e *feature.Env, to *account.Session) func(*stanza.Stanza) bool {
	return func(s *stanza.Stanza) bool {
		owner := to.Account.JID.String()
		return s.From.BareString() != owner && f.of(to).denies(f.about(e, owner, s.From, kindOf(s, false)))
	}
}
