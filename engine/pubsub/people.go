package pubsub

import (
	"slices"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// tellAffiliations is XEP-0060 §8.9.1, tellSubscriptions §8.8.1.
func (h *Host) tellAffiliations(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	h.tellPeople(c, q, e, affiliations, "affiliation", affiliationNames)
}

func (h *Host) tellSubscriptions(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	h.tellPeople(c, q, e, subscriptions, "subscription", stateNames)
}

func (h *Host) tellPeople(c *feature.Ctx, q *stanza.Stanza, e xml.Elem, r relation, what string, names []string) {
	owner := c.Owner.String()
	c.View(func(tx *store.Tx) {
		n, err := h.owned(tx, owner, string(e.Attr("node")), q.From, c.Config)
		var t ties
		if h.Personal && what == "affiliation" {
			_ = t.add("", owner, byte(Owner))
		}
		if err == nil {
			err = r.each(tx, owner, n.Name, func(who string, v byte) error { return t.add("", who, v) })
		}
		if err != nil {
			refuse(c, q, err)
			return
		}
		c.Result(q, pubsub(OwnerSpace, func(b *xml.Builder) {
			b.Start(what+"s", "").Attr("node", n.Name)
			for _, line := range t.list {
				b.Start(what, "").Attr("jid", line.who).Attr(what, names[line.v]).End()
			}
			b.End()
		}))
	})
}

// person is one line of a change of affiliations or subscriptions.
type person struct {
	who jid.JID
	v   byte
}

// readPeople reads the lines, each with an address and one of names.
func readPeople(e xml.Elem, what string, names []string) (list []person, err error) {
	for i := e.First(); i.OK(); i = i.Next() {
		who, err := jid.View(i.Attr("jid"))
		v := slices.Index(names, string(i.Attr(what)))
		switch {
		case !i.Is(what, OwnerSpace), err != nil:
			return nil, errMalformed
		case v < 0:
			return nil, errConfig
		}
		list = append(list, person{who.Clone(), byte(v)})
	}
	return list, nil
}

// setAffiliations is XEP-0060 §8.9.2. A node keeps an owner; that of an account
// is the account.
func (h *Host) setAffiliations(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	list, err := readPeople(e, "affiliation", affiliationNames)
	if err != nil {
		refuse(c, q, err)
		return
	}
	h.update(c, q, func(tx *store.Tx) (res result, err error) {
		n, err := h.owned(tx, r.owner, r.node, r.who, r.cfg)
		if err != nil {
			return res, err
		}
		for _, p := range list {
			if err := h.affiliate(tx, &r, n, p); err != nil {
				return res, err
			}
		}
		return res, h.stillOwned(tx, &r, n)
	})
}

func (h *Host) affiliate(tx *store.Tx, r *request, n *Node, p person) error {
	if h.Personal && p.who.BareString() == r.owner {
		return errConfig
	}
	if Affiliation(p.v) == Outcast {
		for _, who := range subscriptions.resources(tx, r.owner, n.Name, p.who.BareString()) {
			if err := n.setState(tx, r.owner, who, Unsubscribed); err != nil {
				return err
			}
		}
	}
	return setAffiliation(tx, r.owner, n.Name, p.who.BareString(), Affiliation(p.v))
}

// stillOwned refuses changes that leave a node without an owner, or with too many
// people.
func (h *Host) stillOwned(tx *store.Tx, r *request, n *Node) error {
	owners, all := 0, 0
	_ = affiliations.each(tx, r.owner, n.Name, func(_ string, v byte) error {
		all++
		if Affiliation(v) == Owner {
			owners++
		}
		return nil
	})
	switch {
	case owners == 0 && !h.Personal:
		return errConfig
	case r.lim.Subscribers > 0 && all > r.lim.Subscribers:
		return errFull
	case r.lim.Bytes > 0 && readTally(tx, r.owner).bytes > uint64(r.lim.Bytes):
		return limitError(fullBytes)
	}
	return nil
}

// setSubscriptions is XEP-0060 §8.8.2. Whom it is about hears of it. An account
// makes nobody a subscriber who has not asked: its events would reach strangers,
// a thousand at a time.
func (h *Host) setSubscriptions(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) {
	r := h.request(c, q, e)
	list, err := readPeople(e, "subscription", stateNames)
	if err != nil {
		refuse(c, q, err)
		return
	}
	h.update(c, q, func(tx *store.Tx) (res result, err error) {
		n, err := h.owned(tx, r.owner, r.node, r.who, r.cfg)
		if err != nil {
			return res, err
		}
		for _, p := range list {
			before := subscriptions.of(tx, r.owner, n.Name, p.who.String())
			if before == p.v {
				continue
			}
			if before == 0 && h.Personal {
				return res, errConfig
			}
			if err := n.setState(tx, r.owner, p.who.String(), State(p.v)); err != nil {
				return res, err
			}
			res.after = append(res.after, func(e *feature.Env) { h.tellSubscriber(e, r.owner, n, p.who, State(p.v)) })
		}
		if lim := r.lim.Subscribers; lim > 0 && n.subs > uint64(lim) {
			return res, limitError(fullSubscribers)
		}
		return res, nil
	})
}

// tellSubscriber says what has become of a subscription (XEP-0060 §8.8.4); who is
// subscribed now gets the last item.
func (h *Host) tellSubscriber(e *feature.Env, owner string, n *Node, who jid.JID, s State) {
	sendState(e, owner, n, who, who, s)
	if s == Subscribed && n.Last != Never {
		e.View(func(tx *store.Tx) { n.sendLast(e, tx, owner, who) })
	}
}

// tellOwners says to the owners who has subscribed or does not any more
// (pubsub#notify_sub).
func (h *Host) tellOwners(e *feature.Env, tx *store.Tx, owner string, n *Node, who jid.JID, s State) {
	h.eachOwner(tx, owner, n, func(to jid.JID) { sendState(e, owner, n, to, who, s) })
}

func sendState(e *feature.Env, owner string, n *Node, to, who jid.JID, s State) {
	var b xml.Builder
	n.startMessage(b.Reset(nil, stanza.Client), owner)
	b.Attr("to", to.String()).Start("event", EventSpace)
	buildSubscription(&b, n.Name, who.String(), s)
	e.Router.Send(to, b.End().End().Bytes())
}

func (h *Host) eachOwner(tx *store.Tx, owner string, n *Node, fn func(to jid.JID)) {
	tell := func(bare string) {
		if j, err := jid.Parse(bare); err == nil {
			fn(j)
		}
	}
	if h.Personal {
		tell(owner)
	}
	_ = affiliations.each(tx, owner, n.Name, func(who string, v byte) error {
		if Affiliation(v) == Owner {
			tell(who)
		}
		return nil
	})
}
