package pubsub

import (
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// createNode is XEP-0060 §8.1. A node without a name gets one.
func (h *Host) createNode(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	var ch change
	var err error
	if f := form.Of(q.Payload().Child("configure", Space)); f.OK() {
		ch, err = readConfig(f)
	}
	if err != nil {
		refuse(c, q, err)
		return
	}
	if !h.mayCreate(c.Env, &r) {
		refuse(c, q, errForbidden)
		return
	}
	now := c.Now()
	var answer func(b *xml.Builder)
	if r.node == "" {
		r.node = randomID()
		answer = pubsub(Space, func(b *xml.Builder) { b.Start("create", "").Attr("node", r.node).End() })
	}
	h.update(c, q, func(tx *store.Tx) (result, error) {
		return result{answer: answer}, h.createWith(tx, &r, &ch, now)
	})
}

func (h *Host) mayCreate(e *feature.Env, r *request) bool {
	if h.Personal {
		return r.who.BareString() == r.owner
	}
	return h.MayCreate(e, r.who)
}

// createWith makes the node that r names, set up as the form says.
func (h *Host) createWith(tx *store.Tx, r *request, ch *change, now time.Time) error {
	n, err := Find(tx, r.owner, r.node)
	if err != nil {
		return err
	}
	if n != nil {
		return errExists
	}
	cfg := ch.apply(h.config(r.node), r.lim.Items)
	if err := h.serves(&cfg); err != nil {
		return err
	}
	_, err = h.create(tx, r.lim, r.owner, r.node, cfg, r.who, now)
	return err
}

// readConfig reads a form that sets a node up.
func readConfig(f form.Form) (ch change, err error) {
	if !f.Is(configForm) {
		return ch, errMalformed
	}
	ch, err = readChange(f)
	return ch, err
}

// serves refuses what only accounts have: a roster.
func (h *Host) serves(c *Config) error {
	if !h.Personal && (c.Access == Presence || c.Access == Roster) {
		return errAccessModel
	}
	return nil
}

// tellConfig is XEP-0060 §8.2.1.
func (h *Host) tellConfig(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	c.View(func(tx *store.Tx) {
		n, err := h.owned(tx, c.Owner.String(), string(e.Attr("node")), q.From, c.Config)
		if err != nil {
			refuse(c, q, err)
			return
		}
		c.Result(q, pubsub(OwnerSpace, func(b *xml.Builder) {
			b.Start("configure", "").Attr("node", n.Name)
			n.ask(b)
			b.End()
		}))
	})
}

// ask writes the form to fill in.
func (c *Config) ask(b *xml.Builder) {
	w := form.Start(b, form.Ask, configForm)
	c.appendForm(w)
	w.End()
}

// tellDefault is XEP-0060 §8.3.
func (h *Host) tellDefault(c *feature.Ctx, q *stanza.Stanza, _ xml.Elem) {
	c.Result(q, pubsub(OwnerSpace, func(b *xml.Builder) {
		b.Start("default", "")
		h.Default.ask(b)
		b.End()
	}))
}

// configure is XEP-0060 §8.2.4.
func (h *Host) configure(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	f := form.Of(e)
	if !f.OK() {
		refuse(c, q, errMalformed)
		return
	}
	if f.Cancels() { // §8.2.3
		c.Result(q, nil)
		return
	}
	ch, err := readConfig(f)
	if err != nil {
		refuse(c, q, err)
		return
	}
	h.update(c, q, func(tx *store.Tx) (result, error) { return h.setConfig(tx, &r, &ch) })
}

func (h *Host) setConfig(tx *store.Tx, r *request, ch *change) (res result, err error) {
	n, err := h.owned(tx, r.owner, r.node, r.who, r.cfg)
	if err != nil {
		return res, err
	}
	n.Config = ch.apply(n.Config, r.lim.Items)
	if err := h.serves(&n.Config); err != nil {
		return res, err
	}
	most := 0
	if n.Persist {
		most = r.lim.most(&n.Config)
	}
	t := readTally(tx, r.owner)
	if err := n.trim(tx, r.owner, most, &t); err != nil {
		return res, err
	}
	if err := n.save(tx, r.owner, &t); err != nil {
		return res, err
	}
	if n.NotifyConfig {
		res.events = []*Event{{host: h, owner: r.owner, node: n, set: true}}
	}
	return res, h.changed(tx, r, Change{Node: n.Name, Set: true}, &res)
}

// deleteNode is XEP-0060 §8.4.
func (h *Host) deleteNode(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	redirect := string(e.Child("redirect", OwnerSpace).Attr("uri"))
	if len(redirect) > maxText {
		refuse(c, q, errMalformed)
		return
	}
	h.update(c, q, func(tx *store.Tx) (res result, err error) {
		n, err := h.owned(tx, r.owner, r.node, r.who, r.cfg)
		if err != nil {
			return res, err
		}
		if n.NotifyDelete {
			res.events = []*Event{{host: h, owner: r.owner, node: n, deleted: true, redirect: redirect, gone: n.audience(tx, r.owner)}}
		}
		if err := n.remove(tx, r.owner); err != nil {
			return res, err
		}
		return res, h.changed(tx, &r, Change{Node: n.Name, Emptied: true}, &res)
	})
}

// purge is XEP-0060 §8.5.
func (h *Host) purge(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	h.update(c, q, func(tx *store.Tx) (res result, err error) {
		n, err := h.owned(tx, r.owner, r.node, r.who, r.cfg)
		if err != nil {
			return res, err
		}
		if !n.Persist {
			return res, unsupported("persistent-items")
		}
		if err := n.clear(tx, r.owner); err != nil {
			return res, err
		}
		res.events = []*Event{{host: h, owner: r.owner, node: n, purged: true}}
		return res, h.changed(tx, &r, Change{Node: n.Name, Emptied: true}, &res)
	})
}
