package pubsub

import (
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// subscriber reads the address that is to be subscribed or not: one of the
// requester's own, bare or full.
func subscriber(q *stanza.Stanza, e xml.Elem) (who jid.JID, own bool) {
	who, err := jid.View(e.Attr("jid"))
	own = err == nil && (who == q.From || who == q.From.Bare())
	return who.Clone(), own
}

// subscribe is XEP-0060 §6.1. Who wants options along with it (§6.3.7) is not
// subscribed without.
func (h *Host) subscribe(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	who, own := subscriber(q, e)
	if !own {
		refuse(c, q, errInvalidJID)
		return
	}
	if q.Payload().Child("options", Space).OK() {
		refuse(c, q, unsupported("subscription-options"))
		return
	}
	h.update(c, q, func(tx *store.Tx) (result, error) { return h.subscribeTo(tx, &r, who) })
}

func (h *Host) subscribeTo(tx *store.Tx, r *request, who jid.JID) (res result, err error) {
	n, err := must(tx, r.owner, r.node)
	if err == nil {
		err = h.mayRead(tx, r.owner, n, r.who, true)
	}
	if err != nil {
		return res, err
	}
	state := State(subscriptions.of(tx, r.owner, n.Name, who.String()))
	switch state {
	case Pending:
		return res, errPending
	case Unsubscribed:
		if state, err = h.subscribeAnew(tx, r, n, who); err != nil {
			return res, err
		}
		res.after = append(res.after, func(e *feature.Env) { h.subscribedNow(e, r.owner, n, who, state) })
	}
	res.answer = pubsub(Space, func(b *xml.Builder) { buildSubscription(b, n.Name, who.String(), state) })
	return res, nil
}

// subscribeAnew makes a subscription, which may have to be approved.
func (h *Host) subscribeAnew(tx *store.Tx, r *request, n *Node, who jid.JID) (State, error) {
	lim := r.lim.Subscribers
	if lim > 0 && n.subs >= uint64(lim) || subscriptions.many(tx, r.owner, n.Name, who.BareString()) >= maxResources {
		return Unsubscribed, limitError(fullSubscribers)
	}
	state := Subscribed
	if n.Access == Authorize && h.affiliation(tx, r.owner, n, r.who) == None {
		state = Pending
	}
	return state, n.setState(tx, r.owner, who.String(), state)
}

// maxResources is how many subscriptions to one node an account may have, for
// itself and its resources: as many as it may have sessions.
const maxResources = 20

func buildSubscription(b *xml.Builder, node, who string, s State) {
	b.Start("subscription", "").OptAttr("node", node).Attr("jid", who).Attr("subscription", stateNames[s]).End()
}

// subscribedNow sends a new subscriber the last item, and tells owners of it.
func (h *Host) subscribedNow(e *feature.Env, owner string, n *Node, who jid.JID, s State) {
	e.View(func(tx *store.Tx) {
		if s == Subscribed && n.Last != Never {
			n.sendLast(e, tx, owner, who)
		}
		if s == Pending {
			h.askOwners(e, tx, owner, n, who)
		} else if n.NotifySub {
			h.tellOwners(e, tx, owner, n, who, s)
		}
	})
}

// unsubscribe is XEP-0060 §6.2.
func (h *Host) unsubscribe(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	who, own := subscriber(q, e)
	if !own {
		refuse(c, q, errForbidden)
		return
	}
	if len(e.Attr("subid")) > 0 { // nobody has one
		refuse(c, q, errBadSubID)
		return
	}
	h.update(c, q, func(tx *store.Tx) (res result, err error) {
		n, err := must(tx, r.owner, r.node)
		if err != nil {
			return res, err
		}
		if subscriptions.of(tx, r.owner, n.Name, who.String()) == 0 {
			return res, errNotSubscribed
		}
		if n.NotifySub {
			res.after = append(res.after, func(e *feature.Env) { h.subscribedNow(e, r.owner, n, who, Unsubscribed) })
		}
		return res, n.setState(tx, r.owner, who.String(), Unsubscribed)
	})
}

// tellOwnSubscriptions is XEP-0060 §5.6.
func (h *Host) tellOwnSubscriptions(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	h.tellOwn(c, q, e, "subscriptions", func(tx *store.Tx, t *ties) error {
		return subscriptions.eachOf(tx, c.Owner.String(), q.From.BareString(), t.add)
	}, func(b *xml.Builder, t tie) { buildSubscription(b, t.node, t.who, State(t.v)) })
}

// tellOwnAffiliations is XEP-0060 §5.7.
func (h *Host) tellOwnAffiliations(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	owner := c.Owner.String()
	h.tellOwn(c, q, e, "affiliations", func(tx *store.Tx, t *ties) error {
		if h.Personal && q.From.BareString() == owner {
			return Each(tx, owner, func(n *Node) error { return t.add(n.Name, "", byte(Owner)) })
		}
		return affiliations.eachOf(tx, owner, q.From.BareString(), t.add)
	}, func(b *xml.Builder, t tie) {
		b.Start("affiliation", "").Attr("node", t.node).Attr("affiliation", affiliationNames[t.v]).End()
	})
}

// tellOwn answers with what who asks is to nodes, or to the one that is named.
func (h *Host) tellOwn(c *feature.Ctx, q *stanza.Stanza, e xml.Elem, name string, collect func(*store.Tx, *ties) error, build func(*xml.Builder, tie)) {
	only := string(e.Attr("node"))
	var t ties
	var err error
	c.View(func(tx *store.Tx) { err = collect(tx, &t) })
	if err != nil {
		refuse(c, q, err)
		return
	}
	c.Result(q, pubsub(Space, func(b *xml.Builder) {
		b.Start(name, "").OptAttr("node", only)
		for _, line := range t.list {
			if only == "" || only == line.node {
				build(b, line)
			}
		}
		b.End()
	}))
}
