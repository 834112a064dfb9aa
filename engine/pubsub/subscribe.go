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

// subscribe is XEP-0060 §6.1.
func (h *Host) subscribe(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	who, own := subscriber(q, e)
	if !own {
		refuse(c, q, errInvalidJID)
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
	before := State(subscriptions.of(tx, r.owner, n.Name, who.String()))
	if before == Pending {
		return res, errPending
	}
	state := before
	if before == Unsubscribed {
		state = Subscribed
		if n.Access == Authorize && h.affiliation(tx, r.owner, n, r.who) == None {
			state = Pending
		}
		if lim := r.lim.Subscribers; lim > 0 && n.subs >= uint64(lim) || subscriptions.many(tx, r.owner, n.Name, who.BareString()) >= maxResources {
			return res, limitError(fullSubscribers)
		}
		err = n.setState(tx, r.owner, who.String(), state)
	}
	res.answer = pubsub(Space, func(b *xml.Builder) { buildSubscription(b, n.Name, who.String(), state) })
	if before == Unsubscribed {
		res.after = append(res.after, func(e *feature.Env) { h.subscribedNow(e, r.owner, n, who, state) })
	}
	return res, err
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
	only := string(e.Attr("node"))
	c.View(func(tx *store.Tx) {
		c.Result(q, pubsub(Space, func(b *xml.Builder) {
			b.Start("subscriptions", "").OptAttr("node", only)
			_ = subscriptions.eachOf(tx, c.Owner.String(), q.From.BareString(), func(node, who string, v byte) error {
				if only == "" || only == node {
					buildSubscription(b, node, who, State(v))
				}
				return nil
			})
			b.End()
		}))
	})
}

// tellOwnAffiliations is XEP-0060 §5.7.
func (h *Host) tellOwnAffiliations(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	only, owner := string(e.Attr("node")), c.Owner.String()
	c.View(func(tx *store.Tx) {
		c.Result(q, pubsub(Space, func(b *xml.Builder) {
			b.Start("affiliations", "").OptAttr("node", only)
			add := func(node string, a Affiliation) {
				if only == "" || only == node {
					b.Start("affiliation", "").Attr("node", node).Attr("affiliation", affiliationNames[a]).End()
				}
			}
			if h.Personal && q.From.BareString() == owner {
				_ = Each(tx, owner, func(n *Node) error { add(n.Name, Owner); return nil })
			} else {
				_ = affiliations.eachOf(tx, owner, q.From.BareString(), func(node, _ string, v byte) error {
					add(node, Affiliation(v))
					return nil
				})
			}
			b.End()
		}))
	})
}
