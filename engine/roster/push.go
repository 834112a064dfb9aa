package roster

import (
	"fmt"
	"strconv"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/xml"
)

// Space is the namespace of rosters (RFC 6121 §2.1).
const Space = "jabber:iq:roster"

// Push sends a roster push (RFC 6121 §2.1.6) for ch to every interested session
// of owner.
func Push(e *feature.Env, owner string, ch Change) {
	e.Changes++
	a := e.Accounts.Get(owner)
	if a == nil || !ch.Seen {
		return
	}
	for _, s := range a.Sessions {
		if s.Interested {
			pushTo(e, s, ch)
		}
	}
}

func pushTo(e *feature.Env, s *account.Session, ch Change) {
	var b xml.Builder
	b.Reset(e.Scratch(), "jabber:client")
	b.Start("iq", "").Attr("type", "set").Attr("id", fmt.Sprintf("push-%x", ch.Version)).
		Attr("to", s.JID.String()).
		Start("query", Space).Attr("ver", strconv.FormatUint(ch.Version, 10))
	if ch.After&Listed == 0 {
		b.Start("item", "").Attr("jid", ch.Contact.JID).Attr("subscription", "remove").End()
	} else {
		appendContact(&b, ch.Contact)
	}
	out := b.End().End().Bytes()
	s.Push(out) // never before a roster that is older
	e.Keep(out)
	pushes.Add(e.Shard(), 1)
}

func appendContact(b *xml.Builder, c Contact) {
	startItem(b, c.JID, c.Name, c.State)
	for _, g := range c.Groups {
		b.Start("group", "").Text(g).End()
	}
	b.End()
}

// Append appends the item as a child of a roster query.
func (it Item) Append(b *xml.Builder) {
	startItem(b, string(it.JID), string(it.Name), it.State)
	for g := range it.Groups() {
		b.Start("group", "").TextBytes(g).End()
	}
	b.End()
}

func startItem(b *xml.Builder, jid, name string, s State) {
	b.Start("item", "").Attr("jid", jid).OptAttr("name", name).
		Attr("subscription", s.Subscription())
	if s&Ask != 0 {
		b.Attr("ask", "subscribe")
	}
	if s&Approved != 0 {
		b.Attr("approved", "true")
	}
}
