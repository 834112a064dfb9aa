package blocking

import (
	"slices"
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
	changed       []item // without these both lists are one
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
		d.after = f.of(d.session)
		d.changed = changed(d.before, d.after)
		if len(d.changed) == 0 || !d.session.Available() {
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

// changed returns what is between the items that two lists have both at their
// beginnings and at their ends: whom none of these fits both judge alike.
func changed(a, b *list) []item {
	x, y := a.items(), b.items()
	for len(x) > 0 && len(y) > 0 && x[0].same(&y[0]) {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1].same(&y[len(y)-1]) {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	return slices.Concat(x, y)
}

func (d *list) items() []item {
	if d == nil {
		return nil
	}
	return d.Items
}

// same reports whether two items say the same, wherever they stand.
func (i *item) same(o *item) bool {
	return i.Type == o.Type && i.Value == o.Value && i.Deny == o.Deny && i.Kinds == o.Kinds
}

// about tells of one contact, and of those of its resources that items name.
func (d *shift) about(e *feature.Env, c *roster.Contact) {
	bare, err := jid.Parse(c.JID)
	if err != nil {
		return
	}
	w, fits := whoIs(c, bare), false
	for i := range d.changed {
		it := &d.changed[i]
		fits = fits || it.fits(&w)
		if full, ok := it.resource(bare); ok {
			d.tell(e, c, full)
		}
	}
	if fits {
		d.tell(e, c, bare)
	}
}

// resource returns the full address of bare that the item is about.
func (i *item) resource(bare jid.JID) (full jid.JID, ok bool) {
	if i.Type != "jid" || len(i.Value) <= len(bare.String()) || !strings.HasPrefix(i.Value, bare.String()) {
		return full, false
	}
	full, err := jid.Parse(i.Value)
	return full, err == nil && full.Bare() == bare
}

// whoIs is j, an address of a contact.
func whoIs(c *roster.Contact, j jid.JID) who {
	return who{jid: j, roster: func() (roster.Contact, bool) { return *c, true }}
}

func (d *shift) tell(e *feature.Env, c *roster.Contact, j jid.JID) {
	w := whoIs(c, j)
	w.kind = presenceOut
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
