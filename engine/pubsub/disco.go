package pubsub

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/rsm"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// Features are the names of what every Host can do, for disco#info
// (XEP-0060 §10).
var Features = []string{
	Space, Space + "#access-authorize", Space + "#access-open", Space + "#access-whitelist",
	Space + "#config-node", Space + "#config-node-max", Space + "#create-and-configure", Space + "#create-nodes",
	Space + "#delete-items", Space + "#delete-nodes", Space + "#instant-nodes", Space + "#item-ids",
	Space + "#manage-subscriptions", Space + "#member-affiliation", Space + "#meta-data", Space + "#modify-affiliations",
	Space + "#multi-items", Space + "#outcast-affiliation", Space + "#persistent-items", Space + "#publish",
	Space + "#publish-only-affiliation", Space + "#publish-options", Space + "#publisher-affiliation", Space + "#purge-nodes",
	Space + "#retract-items", Space + "#retrieve-affiliations", Space + "#retrieve-default", Space + "#retrieve-items",
	Space + "#retrieve-subscriptions", Space + "#subscribe", Space + "#subscription-notifications", Space + "#rsm", rsm.Space,
}

// PersonalFeatures are those that accounts have besides.
var PersonalFeatures = []string{
	Space + "#access-presence", Space + "#access-roster", Space + "#auto-create", Space + "#auto-subscribe",
	Space + "#filtered-notifications", Space + "#last-published", Space + "#presence-subscribe",
}

// Disco answers disco#info and disco#items about nodes, and what nodes there are
// that who asks may read (XEP-0060 §5.2 to §5.5, XEP-0163 §7). It reports false
// where there is nothing to tell.
func (h *Host) Disco(c *feature.Ctx, q *stanza.Stanza) (answered bool) {
	name := string(q.Payload().Attr("node"))
	if name == "" {
		return h.tellNodes(c, q)
	}
	c.View(func(tx *store.Tx) {
		n, err := Find(tx, c.Owner.String(), name)
		if err != nil || n == nil {
			return
		}
		answered = true
		if err := h.mayRead(tx, c.Owner.String(), n, q.From, true); err != nil {
			refuse(c, q, err)
		} else if string(q.Payload().Space()) == infoSpace {
			h.tellNode(c, q, tx, n)
		} else {
			tellNames(c, q, tx, n)
		}
	})
	return answered
}

// tellNodes lists the nodes that may be read, a page at a time. A service may
// have very many: they are looked through off the loop.
func (h *Host) tellNodes(c *feature.Ctx, q *stanza.Stanza) bool {
	page, ok := rsm.Read(q.Payload())
	if !ok {
		refuse(c, q, errMalformed)
		return true
	}
	owner := c.Owner.Clone().String()
	if h.Personal {
		var list []listed
		c.View(func(tx *store.Tx) { list = h.readable(tx, owner, q.From) })
		if len(list) == 0 {
			return false
		}
		c.Result(q, func(b *xml.Builder) { buildNodes(b, owner, list, page) })
		return true
	}
	e, who, answer := c.Env, q.From.Clone(), c.Later(q)
	var list []listed
	scan := func() {
		err := e.Store.View(func(tx *store.Tx) error { list = h.readable(tx, owner, who); return nil })
		if err != nil {
			e.Log.Error("the store cannot be read", "err", err)
		}
	}
	if !e.Loop.Work(scan, func() {
		e.Router.Run(func() { answer.Result(func(b *xml.Builder) { buildNodes(b, owner, list, page) }) })
	}) {
		answer.Fail(stanza.ResourceConstraint, "")
	}
	return true
}

// listed is a node in a list.
type listed struct{ name, title string }

// readable returns the nodes that who may read, in order of their names.
func (h *Host) readable(tx *store.Tx, owner string, who jid.JID) (list []listed) {
	_ = Each(tx, owner, func(n *Node) error {
		if h.mayRead(tx, owner, n, who, true) == nil {
			list = append(list, listed{n.Name, n.Title})
		}
		return nil
	})
	return list
}

// mostNodes is how many nodes one answer lists.
const mostNodes = 500

func buildNodes(b *xml.Builder, owner string, list []listed, page rsm.Request) {
	place := func(name string) (int, bool) {
		return slices.BinarySearchFunc(list, name, func(l listed, n string) int { return strings.Compare(l.name, n) })
	}
	after, before := -1, len(list)
	if page.HasAfter {
		var ok bool
		if after, ok = place(page.After); !ok {
			after--
		}
	}
	if page.HasBefore && page.Before != "" {
		before, _ = place(page.Before)
	}
	first, end := page.Slice(after, before, page.Limit(mostNodes, mostNodes))
	b.Start("query", itemsSpace)
	for _, l := range list[first:end] {
		b.Start("item", "").Attr("jid", owner).Attr("node", l.name).OptAttr("name", l.title).End()
	}
	if page.Present || end-first < len(list) {
		set := rsm.Page{Count: len(list), Index: first}
		if first < end {
			set.First, set.Last = list[first].name, list[end-1].name
		}
		set.Append(b)
	}
	b.End()
}

// tellNames lists the items of a node (XEP-0060 §5.5).
func tellNames(c *feature.Ctx, q *stanza.Stanza, tx *store.Tx, n *Node) {
	owner := c.Owner.String()
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", itemsSpace).Attr("node", n.Name)
		_ = n.EachItem(tx, owner, func(it Item) error {
			b.Start("item", "").Attr("jid", owner).Attr("name", it.ID).End()
			return nil
		})
		b.End()
	})
}

// tellNode says what a node is (XEP-0060 §5.3, §5.4).
func (h *Host) tellNode(c *feature.Ctx, q *stanza.Stanza, tx *store.Tx, n *Node) {
	owner := c.Owner.String()
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", infoSpace).Attr("node", n.Name)
		b.Start("identity", "").Attr("category", "pubsub").Attr("type", "leaf").OptAttr("name", n.Title).End()
		b.Start("feature", "").Attr("var", Space).End()
		w := form.Start(b, form.Result, metaForm)
		for i := range options {
			if v := options[i].get(&n.Config); len(v) > 0 && v[0] != "" {
				w.Field(form.Def{Var: options[i].Var, Type: options[i].Type}, v...)
			}
		}
		w.Field(form.Def{Var: prefix + "creation_date", Type: form.TextSingle}, time.Unix(n.Created, 0).UTC().Format(time.RFC3339))
		w.Field(form.Def{Var: prefix + "num_items", Type: form.TextSingle}, strconv.Itoa(n.Count()))
		if h.Personal {
			w.Field(form.Def{Var: prefix + "owner", Type: form.JIDMulti}, owner)
		}
		w.End()
		b.End()
	})
}
