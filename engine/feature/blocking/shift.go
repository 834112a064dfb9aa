package blocking

import (
	"strings"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// shift is what a change does to one session: the list in force for it before and
// after; nil allows all.
type shift struct {
	session       *account.Session
	before, after *list
}

// inForce returns the account's available sessions with their lists, to be told of
// when they have changed.
func (f *Feature) inForce(a *account.Account) (all []shift) {
	for _, s := range a.Sessions {
		if s.Available() {
			all = append(all, shift{session: s, before: f.of(s)})
		}
	}
	return all
}

// announce tells both sides of what all have changed: who may not see the user any
// more sees it leave, and who may again sees it come (XEP-0191 §3.3, §3.4, XEP-0016
// §2.11); so does the user see those whose presence it refuses, or does not any
// more (XEP-0016 §2.10).
func (f *Feature) announce(e *feature.Env, a *account.Account, all []shift) {
	var contacts []roster.Contact
	for i := range all {
		d := &all[i]
		if d.after = f.of(d.session); d.before == d.after || !d.session.Available() {
			continue
		}
		if contacts == nil {
			contacts = subscribed(e, a)
		}
		for k := range contacts {
			d.about(e, &contacts[k])
		}
	}
}

// subscribed returns the contacts that see the user, or that it sees.
func subscribed(e *feature.Env, a *account.Account) (contacts []roster.Contact) {
	e.View(func(tx *store.Tx) {
		for it := range roster.Load(tx, a.JID.String()).All() {
			if it.State&(roster.From|roster.To) != 0 {
				contacts = append(contacts, it.Clone())
			}
		}
	})
	return contacts
}

// about tells of one contact, and of those of its resources that items name.
func (d *shift) about(e *feature.Env, c *roster.Contact) {
	bare, err := jid.Parse(c.JID)
	if err != nil {
		return
	}
	d.tell(e, c, bare)
	for _, l := range [...]*list{d.before, d.after} {
		for _, full := range l.resources(bare) {
			d.tell(e, c, full)
		}
	}
}

// resources returns the full addresses of bare that items are about.
func (d *list) resources(bare jid.JID) (full []jid.JID) {
	if d == nil {
		return nil
	}
	for i := range d.Items {
		it := &d.Items[i]
		if it.Type != "jid" || len(it.Value) <= len(bare.String()) || !strings.HasPrefix(it.Value, bare.String()) {
			continue
		}
		if j, err := jid.Parse(it.Value); err == nil && j.Bare() == bare {
			full = append(full, j)
		}
	}
	return full
}

func (d *shift) tell(e *feature.Env, c *roster.Contact, j jid.JID) {
	w := who{jid: j, kind: presenceOut, roster: func() (roster.Contact, bool) { return *c, true }}
	if c.State&roster.From != 0 {
		if was, is := d.before.denies(&w), d.after.denies(&w); was != is {
			show(e, d.session, j, !is)
		}
	}
	w.kind = presenceIn
	if c.State&roster.To != 0 {
		if was, is := d.before.denies(&w), d.after.denies(&w); was != is {
			see(e, d.session, j, !is)
		}
	}
}

// show sends somebody the session's presence, or that it has gone.
func show(e *feature.Env, s *account.Session, to jid.JID, here bool) {
	if !here {
		e.Router.Send(to, bare(stanza.Unavailable, s.JID, to))
		return
	}
	var doc xml.Doc
	if p, err := doc.Parse(s.Presence, stanza.Client); err == nil {
		e.Router.Send(to, p.AppendEdited(nil, stanza.Client, &xml.Edit{To: []byte(to.String())}))
	}
}

// see asks for somebody's presence, or tells the session that it has gone.
func see(e *feature.Env, s *account.Session, from jid.JID, here bool) {
	if here {
		e.Router.Send(from, bare(stanza.Probe, s.JID, from))
		return
	}
	s.Sink.Write(bare(stanza.Unavailable, from, s.JID))
}

// bare is presence that says nothing but its type.
func bare(t stanza.Type, from, to jid.JID) []byte {
	var b xml.Builder
	b.Reset(nil, stanza.Client)
	return b.Start("presence", "").Attr("type", t.String()).
		Attr("from", from.String()).Attr("to", to.String()).End().Bytes()
}
