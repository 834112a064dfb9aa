package pubsub

import (
	"slices"
	"strconv"

	"meerkat/engine/feature"
	"meerkat/engine/rsm"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// tellItems is XEP-0060 §6.5.
func (h *Host) tellItems(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	page, ok := rsm.Read(q.Payload())
	if !ok {
		refuse(c, q, errMalformed)
		return
	}
	c.View(func(tx *store.Tx) {
		owner := c.Owner.String()
		n, err := must(tx, owner, string(e.Attr("node")))
		if err == nil {
			err = h.mayRead(tx, owner, n, q.From, false)
		}
		if err == nil && !n.Persist {
			err = unsupported("persistent-items")
		}
		var list []Item
		var set *rsm.Page
		if err == nil {
			list, set, err = n.pick(tx, owner, e, page)
		}
		if err != nil {
			refuse(c, q, err)
			return
		}
		c.Result(q, pubsub(Space, func(b *xml.Builder) {
			b.Start("items", "").Attr("node", n.Name)
			for i := range list {
				list[i].build(b, true)
			}
			b.End()
			if set != nil {
				set.Append(b)
			}
		}))
	})
}

// maxAnswer bounds the payloads of one answer, in bytes. Who wants more asks for
// another page.
const maxAnswer = 1 << 20

// pick returns the items that e asks for: some by name, the newest few, or a page
// of all, in the order of their publication.
func (n *Node) pick(tx *store.Tx, owner string, e xml.Elem, page rsm.Request) (list []Item, set *rsm.Page, err error) {
	if e.First().OK() {
		list, err = n.named(tx, owner, e)
		return list, nil, err
	}
	if err = n.EachItem(tx, owner, func(it Item) error { list = append(list, it); return nil }); err != nil {
		return nil, nil, err
	}
	if max := e.Attr("max_items"); max != nil {
		m, err := strconv.ParseUint(string(max), 10, 31)
		if err != nil || m == 0 {
			return nil, nil, errMalformed
		}
		list = list[len(list)-min(int(m), len(list)):]
	}
	return n.page(list, page)
}

// named returns the items that e names, those there are (XEP-0060 §6.5.8). Many
// names, or the same one many times, are no way around maxAnswer.
func (n *Node) named(tx *store.Tx, owner string, e xml.Elem) (list []Item, err error) {
	size := 0
	for i := e.First(); i.OK(); i = i.Next() {
		if !i.Is("item", Space) || len(i.Attr("id")) == 0 {
			return nil, errMalformed
		}
		it, ok := n.Item(tx, owner, string(i.Attr("id")))
		if !ok {
			continue
		}
		if size += len(it.Payload); size > maxAnswer && list != nil {
			return nil, errAnswerTooBig
		}
		list = append(list, it)
	}
	if list == nil {
		return nil, errNoItem
	}
	return list, nil
}

// page returns the part of list that is asked for, and never more than maxAnswer
// of bytes but one item.
func (n *Node) page(list []Item, page rsm.Request) ([]Item, *rsm.Page, error) {
	find := func(id string) int { return slices.IndexFunc(list, func(it Item) bool { return it.ID == id }) }
	after, before := -1, len(list)
	if page.HasAfter {
		if after = find(page.After); after < 0 {
			return nil, nil, errNoItem
		}
	}
	if page.HasBefore && page.Before != "" {
		if before = find(page.Before); before < 0 {
			return nil, nil, errNoItem
		}
	}
	first, end := page.Slice(after, before, page.Limit(len(list), len(list)))
	first, end = bounded(list, first, end, page.Backwards() || !page.Present)
	if !page.Present && end-first == len(list) {
		return list, nil, nil
	}
	set := rsm.Page{Count: len(list), Index: first}
	if first < end {
		set.First, set.Last = list[first].ID, list[end-1].ID
	}
	return list[first:end], &set, nil
}

// bounded shortens a page to maxAnswer.
func bounded(list []Item, first, end int, backwards bool) (int, int) {
	size := 0
	if backwards {
		for i := end - 1; i >= first; i-- {
			if size += len(list[i].Payload); size > maxAnswer && i < end-1 {
				return i + 1, end
			}
		}
		return first, end
	}
	for i := first; i < end; i++ {
		if size += len(list[i].Payload); size > maxAnswer && i > first {
			return first, i
		}
	}
	return first, end
}
