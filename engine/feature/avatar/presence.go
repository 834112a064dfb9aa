package avatar

import (
	"bytes"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// PresenceOut is the stage that puts the hash of the account's picture into what
// its sessions send (XEP-0398 §4). It comes before presence is handled.
//
// What is sent to somebody in particular, who may be anybody, has it only where
// everybody may see the picture.
func (f *Feature) PresenceOut(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if s.Type != stanza.Available {
		return feature.Continue
	}
	all := s.To.IsZero()
	if all {
		c.Session.Clear(f.stamped)
	}
	if c.Session.Has(f.without) {
		return feature.Continue
	}
	p := f.find(c)
	if p == nil || !all && !p.open || !outdated(s.Elem, p.id()) {
		return feature.Continue
	}
	stamp(s, p.tail)
	if all {
		c.Session.Set(f.stamped)
	} else {
		f.rewrite(c, s)
	}
	return feature.Continue
}

// find returns the picture of c's account. The first time it looks into the store.
func (f *Feature) find(c *feature.Ctx) *picture {
	p := f.known.Of(c.Account.Slots)
	if p == nil {
		c.View(func(tx *store.Tx) { p = load(tx, c.Owner.String()) })
		f.know(c.Account, p)
	}
	return p
}

// know notes what picture a has, nil for none, once it has been looked for.
func (f *Feature) know(a *account.Account, p *picture) {
	f.known.Put(&a.Slots, p)
	for _, s := range a.Sessions {
		if p == nil {
			s.Set(f.without)
		} else {
			s.Clear(f.without)
		}
	}
}

// outdated reports whether presence is to say that id is the picture, nil for none:
// if its client leaves that to us, or says something else. An empty photo is a
// client's own business.
func outdated(presence xml.Elem, id []byte) bool {
	photo := presence.Child("x", updateSpace).Child("photo", updateSpace)
	if !photo.OK() {
		return id != nil
	}
	said := bytes.TrimSpace(photo.Text())
	return len(said) > 0 && !bytes.Equal(said, id)
}

// stamp puts our element in the place of the client's.
func stamp(s *stanza.Stanza, tail []byte) {
	if s.Elem.Child("x", updateSpace).OK() {
		also := s.Strip
		s.Strip = func(child xml.Elem) bool { return isUpdate(child) || also != nil && also(child) }
	}
	s.Tail = append(tail, s.Tail...) // tail has no room: this is a copy, or tail itself
}

func isUpdate(e xml.Elem) bool { return e.Is("x", updateSpace) }

// rewrite makes the additions to s part of it: services read presence as it
// arrived.
func (f *Feature) rewrite(c *feature.Ctx, s *stanza.Stanza) {
	to := &f.scratch[c.Shard()]
	to.b = s.Append(to.b[:0])
	e, err := to.doc.Parse(to.b, stanza.Client)
	if err != nil || s.Read(e) != stanza.OK {
		c.Log.Error("presence with a picture's hash does not parse", "from", s.From.String(), "err", err)
	}
}

// tell has the available sessions of an account send their presence again, now
// that p is its picture (XEP-0153 §3.1). It runs on the owner's loop.
func (f *Feature) tell(e *feature.Env, owner string, p *picture) {
	a := e.Accounts.Get(owner)
	if a == nil {
		return
	}
	f.know(a, p)
	for _, s := range a.Sessions {
		if s.Available() {
			f.resend(e, s, p)
		}
	}
}

// resend broadcasts the presence of s as its client would. Contacts that saw a
// picture hear that there is none; of who never had one there is nothing to say.
func (f *Feature) resend(e *feature.Env, s *account.Session, p *picture) {
	var doc xml.Doc
	var st stanza.Stanza
	presence, err := doc.Parse(bytes.Clone(s.Presence), stanza.Client)
	if err != nil || st.Read(presence) != stanza.OK {
		e.Log.Error("presence of a session does not parse", "session", s.JID.String(), "err", err)
		return
	}
	id, tail := []byte(nil), element("")
	if p != nil {
		id, tail = p.id(), p.tail
	}
	if !s.Has(f.stamped) && !outdated(presence, id) {
		return
	}
	st.From = s.JID
	stamp(&st, tail)
	s.Set(f.stamped)
	news.Add(e.Shard(), 1)
	f.again(&feature.Ctx{Env: e, Owner: s.Account.JID, Account: s.Account, Session: s}, &st)
}

// freeze keeps that the session's presence has our element.
func (f *Feature) freeze(s *account.Session, b []byte) []byte {
	if s.Has(f.stamped) {
		b = append(b, 1)
	}
	return b
}

func (f *Feature) thaw(c *feature.Ctx, b []byte) {
	if len(b) > 0 {
		c.Session.Set(f.stamped)
	}
}
