package roster

import (
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// Change is what an update did to one contact.
type Change struct {
	Before, After State
	Effect        Effect
	Contact       Contact
	Version       uint64
	// Seen: clients see a difference and get a push.
	Seen bool
}

// Lost and Got report whether the contact stopped or began to get our presence.
func (c Change) Lost() bool { return c.Before&From != 0 && c.After&From == 0 }

// Got reports whether the contact began to get our presence.
func (c Change) Got() bool { return c.Before&From == 0 && c.After&From != 0 }

// Set writes name and groups of a contact, as a roster set does
// (RFC 6121 §2.3, §2.4). At most limit items (0: any number) may be listed.
func Set(tx *store.Tx, owner, jid, name string, groups []string, limit int) (Change, error) {
	v, err := load(tx, owner)
	if err != nil {
		return Change{}, err
	}
	c := v.contact(jid)
	if c.State&Listed == 0 && v.full(limit) {
		return Change{}, stanza.ResourceConstraint
	}
	before := c.State
	c.State |= Listed
	c.Name, c.Groups = name, groups
	return v.store(tx, owner, before, c, 0, true)
}

// Remove takes a contact out (RFC 6121 §2.5). What the two had with each other
// is in Before; a request that waited is gone.
func Remove(tx *store.Tx, owner, jid string) (Change, error) {
	v, err := load(tx, owner)
	if err != nil {
		return Change{}, err
	}
	c := v.contact(jid)
	if c.State&Listed == 0 {
		return Change{}, stanza.ItemNotFound
	}
	before := c.State
	c.State = 0
	return v.store(tx, owner, before, c, 0, true)
}

// Outbound applies presence of type t from owner to jid.
func Outbound(tx *store.Tx, owner, jid string, t stanza.Type, limit int) (Change, error) {
	v, err := load(tx, owner)
	if err != nil {
		return Change{}, err
	}
	c := v.contact(jid)
	before := c.State
	next, effect := before.Outbound(t)
	if t == stanza.Subscribe || next&Approved != 0 || next&From != 0 {
		next |= Listed
	}
	if next&Listed != 0 && before&Listed == 0 && v.full(limit) {
		return Change{}, stanza.ResourceConstraint
	}
	c.State = next
	return v.store(tx, owner, before, c, effect, visible(before) != visible(next))
}

// Inbound applies presence of type t from jid to owner. request is the stanza
// itself, kept while it is a question without an answer.
func Inbound(tx *store.Tx, owner, jid string, t stanza.Type, request []byte) (Change, error) {
	v, err := load(tx, owner)
	if err != nil {
		return Change{}, err
	}
	c := v.contact(jid)
	before := c.State
	next, effect := before.Inbound(t)
	if next&In != 0 && before&In == 0 {
		if before&Listed == 0 && v.strangers() >= maxStrangers {
			return Change{}, stanza.ResourceConstraint
		}
		c.Request = keepable(request, owner, jid)
	}
	c.State = next
	return v.store(tx, owner, before, c, effect, visible(before) != visible(next))
}

// maxStrangers bounds the requests of people who are not in the roster: each is
// read at every login. maxRequest is the longest that is kept as it came, in
// bytes.
const (
	maxStrangers = 500
	maxRequest   = 2 << 10
)

// keepable is request, or without its content if that is too long: RFC 6121
// §3.1.3 wants all of it kept, and means a line of text.
func keepable(request []byte, owner, jid string) []byte {
	if len(request) <= maxRequest {
		return request
	}
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("presence", "").Attr("type", "subscribe")
	return b.Attr("from", jid).Attr("to", owner).End().Bytes()
}

// strangers counts the items that are not listed.
func (v View) strangers() (n int) {
	for it := range v.All() {
		if it.State&Listed == 0 {
			n++
		}
	}
	return n
}

// visible is the part of a state that a roster item shows.
func visible(s State) State {
	if s&Listed == 0 {
		return 0
	}
	return s &^ In
}

func (v View) contact(jid string) Contact {
	if it, ok := v.Find(jid); ok {
		return it.Clone()
	}
	return Contact{JID: jid}
}

// full reports whether limit items are listed.
func (v View) full(limit int) bool {
	if limit <= 0 || v.Len() < limit {
		return false
	}
	return v.Len()-v.strangers() >= limit
}

func (v View) store(tx *store.Tx, owner string, before State, c Contact, e Effect, seen bool) (Change, error) {
	if c.State&In == 0 {
		c.Request = nil
	}
	ch := Change{Before: before, After: c.State, Effect: e, Contact: c, Seen: seen, Version: v.Version()}
	if !seen && before == c.State {
		return ch, nil
	}
	if seen {
		ch.Version = v.nextVersion()
	}
	return ch, doc.Put(tx, owner, v.replace(c, ch.Version))
}
