package pubsub

import (
	"strconv"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/form"
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
	c.View(func(tx *store.Tx) {
		if name == "" {
			answered = h.tellNodes(c, q, tx)
			return
		}
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

// tellNodes lists the nodes that may be read.
func (h *Host) tellNodes(c *feature.Ctx, q *stanza.Stanza, tx *store.Tx) bool {
	owner := c.Owner.String()
	var list []*Node
	err := Each(tx, owner, func(n *Node) error {
		if h.mayRead(tx, owner, n, q.From, true) == nil {
			list = append(list, n)
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return false
	}
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", itemsSpace)
		for _, n := range list {
			b.Start("item", "").Attr("jid", owner).Attr("node", n.Name).OptAttr("name", n.Title).End()
		}
		b.End()
	})
	return true
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
