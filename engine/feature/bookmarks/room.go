package bookmarks

import (
	"meerkat/engine/jid"
	"meerkat/engine/pubsub"
	"meerkat/store"
	"meerkat/xml"
)

// room is a bookmark.
type room struct {
	id                   string // bare JID
	item                 string // name of its item, which should be the same
	name, nick, password string
	join                 bool   // at login
	more                 []byte // extensions and whatever else an item has
}

// empty is an element without bookmarks.
var empty = []byte("<storage xmlns='" + oldSpace + "'/>")

// same reports whether an element would say the same of both.
func (r *room) same(o *room) bool {
	return r.id == o.id && r.name == o.name && r.nick == o.nick && r.password == o.password && r.join == o.join
}

// read takes over what a conference element of either namespace has.
func (r *room) read(e xml.Elem, space string) {
	join := string(e.Attr("autojoin"))
	r.name, r.join = string(e.Attr("name")), join == "true" || join == "1"
	r.nick = string(e.Child("nick", space).Text())
	r.password = string(e.Child("password", space).Text())
}

// build writes a conference element, inside the namespace space, without its end.
func (r *room) build(b *xml.Builder, space, address string) {
	b.Start("conference", space).OptAttr("jid", address).OptAttr("name", r.name)
	if r.join {
		b.Attr("autojoin", "true")
	}
	for _, x := range [][2]string{{"nick", r.nick}, {"password", r.password}} {
		if x[1] != "" {
			b.Start(x[0], "").Text(x[1]).End()
		}
	}
}

// payload is that of the room's item (XEP-0402 §3).
func (r *room) payload() []byte {
	var b xml.Builder
	r.build(b.Reset(nil, ""), space, "")
	return b.Raw(r.more).End().Bytes()
}

// fromItem reads an item, and reports false if it is not a room.
func fromItem(it *pubsub.Item) (r room, ok bool) {
	var doc xml.Doc
	e, err := doc.Parse(it.Payload, space)
	if err != nil || !e.Is("conference", space) {
		return r, false
	}
	if r.id, ok = address([]byte(it.ID)); !ok {
		return r, false
	}
	r.item = it.ID
	r.read(e, space)
	for c := e.First(); c.OK(); c = c.Next() {
		if !c.Is("nick", space) && !c.Is("password", space) {
			r.more = c.AppendTo(r.more, space)
		}
	}
	return r, true
}

// address prepares the bare JID of a room.
func address(b []byte) (string, bool) {
	j, err := jid.View(b)
	if err != nil || j.IsFull() {
		return "", false
	}
	return j.Clone().String(), true
}

// rooms returns all rooms, by their ids.
func rooms(tx *store.Tx, owner string) (map[string]room, error) {
	all := make(map[string]room)
	err := each(tx, owner, func(r *room) { all[r.id] = *r })
	return all, err
}

// each calls fn for every room, in the order in which they were set.
func each(tx *store.Tx, owner string, fn func(r *room)) error {
	n, err := pubsub.Find(tx, owner, space)
	if err != nil || n == nil {
		return err
	}
	return n.EachItem(tx, owner, func(it pubsub.Item) error {
		if r, ok := fromItem(&it); ok {
			fn(&r)
		}
		return nil
	})
}

// parse returns the rooms of an element, the last one of each id, and reports
// false if it is not such an element.
func parse(v []byte) (list []room, ok bool) {
	var doc xml.Doc
	e, err := doc.Parse(v, oldSpace)
	if err != nil || !e.Is("storage", oldSpace) {
		return nil, false
	}
	place := make(map[string]int)
	for c := e.First(); c.OK(); c = c.Next() {
		id, ok := conference(c)
		if !ok {
			continue
		}
		r := room{id: id, item: id}
		r.read(c, oldSpace)
		if at, twice := place[id]; twice {
			list[at] = r
			continue
		}
		place[id] = len(list)
		list = append(list, r)
	}
	return list, true
}

// conference returns the id of the room that a part of an element is, false if it
// is none.
func conference(e xml.Elem) (string, bool) {
	if !e.Is("conference", oldSpace) {
		return "", false
	}
	return address(e.Attr("jid"))
}

// join returns the element with all rooms, and what old ones, which may be nil, have
// besides; nil if there is neither (XEP-0402 §5.1.1).
func join(tx *store.Tx, owner string, old ...[]byte) ([]byte, error) {
	var b xml.Builder
	any := false
	b.Reset(nil, "").Start("storage", oldSpace)
	err := each(tx, owner, func(r *room) {
		any = true
		r.build(&b, oldSpace, r.id)
		b.End()
	})
	if err != nil {
		return nil, err
	}
	for _, v := range old {
		if rest := besides(v); len(rest) > 0 {
			any = true
			b.Raw(rest)
		}
	}
	if !any {
		return nil, nil
	}
	return b.End().Bytes(), nil
}

// besides returns what an element has that is not the bookmark of a room.
func besides(v []byte) (rest []byte) {
	var doc xml.Doc
	e, err := doc.Parse(v, oldSpace)
	if err != nil || !e.Is("storage", oldSpace) {
		return nil
	}
	for c := e.First(); c.OK(); c = c.Next() {
		if _, ok := conference(c); !ok {
			rest = c.AppendTo(rest, oldSpace)
		}
	}
	return rest
}
