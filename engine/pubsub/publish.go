package pubsub

import (
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// publish is XEP-0060 §7.1.
func (h *Host) publish(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	list, err := readItems(e, r.who.BareString(), c.Now())
	if err != nil {
		refuse(c, q, err)
		return
	}
	options, err := readOptions(q.Payload())
	if err != nil {
		refuse(c, q, err)
		return
	}
	now := c.Now()
	h.update(c, q, func(tx *store.Tx) (result, error) { return h.publishItems(tx, &r, list, &options, now) })
}

// readItems returns the items to publish, in memory of their own.
func readItems(e xml.Elem, publisher string, now time.Time) (list []Item, err error) {
	for c := e.First(); c.OK(); c = c.Next() {
		if !c.Is("item", Space) {
			return nil, errMalformed
		}
		it := Item{ID: string(c.Attr("id")), Publisher: publisher, Time: now}
		if p := c.First(); p.OK() {
			if p.Next().OK() || c.HasText() {
				return nil, errInvalidPayload
			}
			it.Payload = p.AppendTo(nil, nowhere)
		} else if c.HasText() {
			return nil, errInvalidPayload
		}
		list = append(list, it)
	}
	return list, nil
}

// readOptions returns what the node has to be like, or is made like
// (XEP-0060 §7.1.5).
func readOptions(p xml.Elem) (ch change, err error) {
	o := p.Child("publish-options", Space)
	if !o.OK() {
		return ch, nil
	}
	f := form.Of(o)
	if !f.OK() || !f.Is(optionsForm) {
		return ch, errMalformed
	}
	return readChange(f)
}

func (h *Host) publishItems(tx *store.Tx, r *request, list []Item, options *change, now time.Time) (res result, err error) {
	n, err := h.forPublishing(tx, r, options, now)
	if err == nil {
		err = n.accepts(list)
	}
	if err == nil {
		err = h.name(tx, r, n, list)
	}
	if err == nil {
		err = n.keep(tx, r.lim, r.owner, list)
	}
	if err != nil {
		return res, err
	}
	res.answer = pubsub(Space, func(b *xml.Builder) {
		b.Start("publish", "").Attr("node", n.Name)
		for i := range list {
			b.Start("item", "").Attr("id", list[i].ID).End()
		}
		b.End()
	})
	res.events = []*Event{{host: h, owner: r.owner, node: n, items: list}}
	return res, h.changed(tx, r, Change{Node: n.Name, Published: list}, &res)
}

// name gives items without a name one, and lets those who publish because
// everybody may replace nobody else's.
func (h *Host) name(tx *store.Tx, r *request, n *Node, list []Item) error {
	a := h.affiliation(tx, r.owner, n, r.who)
	for i := range list {
		if list[i].ID == "" {
			list[i].ID = randomID()
		} else if a != Owner && a != Publisher && !n.publishedBy(tx, r.owner, list[i].ID, r.who) {
			return errForbidden
		}
	}
	return nil
}

// forPublishing returns the node that r may publish at, made if need be.
func (h *Host) forPublishing(tx *store.Tx, r *request, options *change, now time.Time) (*Node, error) {
	n, err := must(tx, r.owner, r.node)
	if err == errNoNode && h.Personal && r.who.BareString() == r.owner {
		if options.unknown {
			return nil, errPrecondition
		}
		return h.create(tx, r.lim, r.owner, r.node, options.apply(h.config(r.node), r.lim.Items), r.who, now)
	}
	if err != nil {
		return nil, err
	}
	if !h.mayPublish(tx, r.owner, n, r.who) {
		return nil, errForbidden
	}
	want := options.apply(n.Config, r.lim.Items)
	if options.unknown || !want.equal(&n.Config) {
		return nil, errPrecondition
	}
	return n, nil
}

// accepts holds items against what kind of node it is (XEP-0060 §7.1.3.6).
func (n *Node) accepts(list []Item) error {
	switch {
	case len(list) == 0 && (n.Persist || n.Payloads):
		return errItemRequired
	case len(list) > 0 && !n.Persist && !n.Payloads:
		return errItemForbidden
	}
	for i := range list {
		if list[i].Payload == nil && n.Payloads {
			return errPayloadMissing
		}
	}
	return nil
}

// retract is XEP-0060 §7.2.
func (h *Host) retract(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	notify := string(e.Attr("notify"))
	var ids []string
	for i := e.First(); i.OK(); i = i.Next() {
		if !i.Is("item", Space) || len(i.Attr("id")) == 0 {
			refuse(c, q, errItemRequired)
			return
		}
		ids = append(ids, string(i.Attr("id")))
	}
	switch {
	case r.node == "":
		refuse(c, q, errNodeRequired)
	case ids == nil:
		refuse(c, q, errItemRequired)
	default:
		h.update(c, q, func(tx *store.Tx) (result, error) {
			return h.retractItems(tx, &r, ids, notify == "1" || notify == "true")
		})
	}
}

func (h *Host) retractItems(tx *store.Tx, r *request, ids []string, notify bool) (res result, err error) {
	n, err := must(tx, r.owner, r.node)
	switch {
	case err != nil:
		return res, err
	case !h.mayPublish(tx, r.owner, n, r.who):
		return res, errForbidden
	case !n.Persist:
		return res, unsupported("persistent-items")
	}
	if err := h.retractAll(tx, r, n, ids); err != nil {
		return res, err
	}
	if notify || n.NotifyRetract {
		res.events = []*Event{{host: h, owner: r.owner, node: n, retracted: ids}}
	}
	return res, h.changed(tx, r, Change{Node: n.Name, Retracted: ids}, &res)
}

// retractAll removes items; who is no owner removes its own only.
func (h *Host) retractAll(tx *store.Tx, r *request, n *Node, ids []string) error {
	t := readTally(tx, r.owner)
	owns := h.affiliation(tx, r.owner, n, r.who) == Owner
	for _, id := range ids {
		if !owns && !n.publishedBy(tx, r.owner, id, r.who) {
			return errForbidden
		}
		if ok, err := n.retract(tx, r.owner, id, &t); err != nil {
			return err
		} else if !ok {
			return errNoItem
		}
	}
	return n.save(tx, r.owner, &t)
}

// publishedBy reports whether who has published the item, or there is none.
func (n *Node) publishedBy(tx *store.Tx, owner, id string, who jid.JID) bool {
	it, ok := n.Item(tx, owner, id)
	return !ok || it.Publisher == who.BareString()
}
