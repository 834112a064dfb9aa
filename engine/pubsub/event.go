package pubsub

import (
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// Event is something that subscribers hear of, once it is stored.
type Event struct {
	host  *Host
	owner string
	node  *Node // as it is now, or was when it was removed

	// One of these.
	items     []Item
	retracted []string
	purged    bool
	set       bool // the node is set up otherwise
	deleted   bool

	redirect string    // where to look instead of a deleted node
	gone     *audience // of a deleted node, which is not in the store any more
}

// audience is who may hear of a node's events besides contacts.
type audience struct {
	affiliations map[string]Affiliation
	subscribers  []string
}

// Send tells who may hear of it. It runs on the owner's loop.
func (ev *Event) Send(e *feature.Env) {
	if ev == nil {
		return
	}
	published.Add(e.Shard(), uint64(len(ev.items)))
	if !ev.node.Deliver {
		return
	}
	owner, err := jid.Parse(ev.owner)
	if err != nil {
		return
	}
	events.Add(e.Shard(), 1)
	b := ev.build()
	var hidden func([]byte) bool
	if ev.host.Hides != nil {
		hidden = ev.host.Hides(e, owner)
	}
	n := uint64(0)
	var lost []string
	e.View(func(tx *store.Tx) {
		e.Router.Spread(nil, b, func(yield func([]byte, feature.Op)) {
			lost = ev.targets(tx, func(to string, op feature.Op) {
				if hidden != nil && hidden([]byte(bareOf(to))) {
					return
				}
				n++
				if bareOf(to) == to {
					yield([]byte(to), op)
				} else if j, err := jid.Parse(to); err == nil {
					e.Router.Send(j, addressed(b, to))
				}
			})
		})
	})
	targets.Add(e.Shard(), n)
	if len(lost) > 0 {
		ev.host.cancel(e, ev.owner, ev.node.Name, lost)
	}
}

// cancel ends the subscriptions of those who may not read a node any more
// (XEP-0163 §8.1).
func (h *Host) cancel(e *feature.Env, owner, node string, lost []string) {
	e.Update(func(tx *store.Tx) error {
		n, err := Find(tx, owner, node)
		if err != nil || n == nil {
			return err
		}
		for _, who := range lost {
			if j, err := jid.Parse(who); err == nil && h.mayRead(tx, owner, n, j, false) == nil {
				continue
			}
			if err := n.setState(tx, owner, who, Unsubscribed); err != nil {
				return err
			}
		}
		return nil
	}, func(err error) {
		if err != nil {
			e.Log.Debug("subscriptions could not be cancelled", "owner", owner, "err", err)
		}
	})
}

// addressed returns b, a message without an address, with one.
func addressed(b []byte, to string) []byte {
	const start = "<message"
	out := append(make([]byte, 0, len(b)+len(to)+8), start+" to='"...)
	out = xml.AppendEscapedAttr(out, []byte(to))
	return append(append(out, '\''), b[len(start):]...)
}

// targets calls yield for everybody who may hear of it: of an account's node the
// account itself and its contacts, as far as their clients want it (XEP-0163 §4);
// and those who have subscribed, in any case. It returns those of them who may not
// read the node any more.
func (ev *Event) targets(tx *store.Tx, yield func(to string, op feature.Op)) (lost []string) {
	a := ev.gone
	if a == nil {
		a = ev.node.audience(tx, ev.owner)
	}
	var told map[string]bool
	if ev.host.Personal {
		told = ev.tellNear(tx, a, yield)
	}
	for _, who := range a.subscribers {
		switch {
		case told[who]:
		case ev.stillReads(tx, who):
			yield(who, feature.Deliver)
		default:
			lost = append(lost, who)
		}
	}
	return lost
}

// tellNear is targets for the account itself and its contacts. It returns those
// of them who have subscribed as well.
func (ev *Event) tellNear(tx *store.Tx, a *audience, yield func(to string, op feature.Op)) map[string]bool {
	told := make(map[string]bool)
	explicit := make(map[string]bool, len(a.subscribers))
	for _, who := range a.subscribers {
		explicit[who] = true
	}
	near := func(bare string) {
		op := feature.Notice
		if explicit[bare] {
			op |= feature.Deliver
			told[bare] = true
		}
		yield(bare, op)
	}
	near(ev.owner)
	for it := range roster.Load(tx, ev.owner).All() {
		if it.State&roster.From != 0 && ev.node.shownTo(it, a.affiliations[string(it.JID)]) {
			near(string(it.JID))
		}
	}
	return told
}

// shownTo reports whether a contact who sees the account's presence hears of the
// node's events without a subscription.
func (n *Node) shownTo(it roster.Item, a Affiliation) bool {
	switch a {
	case Owner, Publisher, Member:
		return true
	case Outcast, PublishOnly:
		return false
	}
	return n.Access == Open || n.Access == Presence || n.Access == Roster && n.inGroup(it)
}

// stillReads holds a subscriber against the access model of now.
func (ev *Event) stillReads(tx *store.Tx, who string) bool {
	if ev.gone != nil || ev.node.Access == Open { // outcasts are no subscribers
		return true
	}
	j, err := jid.Parse(who)
	return err == nil && ev.host.mayRead(tx, ev.owner, ev.node, j, false) == nil
}

func (n *Node) audience(tx *store.Tx, owner string) *audience {
	a := &audience{affiliations: map[string]Affiliation{}}
	_ = affiliations.each(tx, owner, n.Name, func(who string, v byte) error {
		a.affiliations[who] = Affiliation(v)
		return nil
	})
	_ = subscriptions.each(tx, owner, n.Name, func(who string, v byte) error {
		if State(v) == Subscribed {
			a.subscribers = append(a.subscribers, who)
		}
		return nil
	})
	return a
}

// build writes the message, without an address (XEP-0060 §7.1.2, §7.2.2, §8).
func (ev *Event) build() []byte {
	var b xml.Builder
	ev.node.startMessage(b.Reset(nil, stanza.Client), ev.owner)
	b.Start("event", EventSpace)
	switch {
	case ev.purged:
		b.Start("purge", "").Attr("node", ev.node.Name).End()
	case ev.deleted:
		b.Start("delete", "").Attr("node", ev.node.Name)
		if ev.redirect != "" {
			b.Start("redirect", "").Attr("uri", ev.redirect).End()
		}
		b.End()
	case ev.set:
		b.Start("configuration", "").Attr("node", ev.node.Name)
		if ev.node.Payloads {
			w := form.Start(&b, form.Result, configForm)
			ev.node.appendForm(w)
			w.End()
		}
		b.End()
	default:
		ev.buildItems(&b)
	}
	return b.End().End().Bytes()
}

func (ev *Event) buildItems(b *xml.Builder) {
	b.Start("items", "").Attr("node", ev.node.Name)
	for i := range ev.items {
		ev.items[i].build(b, ev.node.Payloads)
	}
	for _, id := range ev.retracted {
		b.Start("retract", "").Attr("id", id).End()
	}
	b.End()
}

func (n *Node) startMessage(b *xml.Builder, owner string) {
	b.Start("message", "").Attr("type", typeNames[index(n.Normal)]).Attr("from", owner)
}

// build writes the item where its namespace is that of the element around it.
func (it *Item) build(b *xml.Builder, payload bool) {
	b.Start("item", "").Attr("id", it.ID)
	if payload {
		b.Raw(it.Payload)
	}
	b.End()
}

// sendLast sends to the newest item of n, with the time it is from
// (XEP-0060 §6.1.7, §9.1). It returns how many bytes that were.
func (n *Node) sendLast(e *feature.Env, tx *store.Tx, owner string, to jid.JID) int {
	it, ok := n.LastItem(tx, owner)
	if !ok || !n.Deliver {
		return 0
	}
	var b xml.Builder
	n.startMessage(b.Reset(e.Scratch(), stanza.Client), owner)
	b.Attr("to", to.String()).Start("event", EventSpace).Start("items", "").Attr("node", n.Name)
	it.build(&b, n.Payloads)
	b.End().End().Start("delay", "urn:xmpp:delay").Attr("from", owner).Attr("stamp", it.Time.Format(time.RFC3339)).End()
	out := b.End().Bytes()
	e.Router.Send(to, out)
	e.Keep(out)
	lastItems.Add(e.Shard(), 1)
	return len(out)
}

// maxRecall is how many bytes of last items one who comes gets of one contact:
// what is beyond it is not sent. Of the own account it is maxAnswer. Else a few accounts with large items could have the
// server fill its memory at each presence of another.
const maxRecall = 64 << 10

// Recall sends who, a session that has just come, the last items of those of
// owner's nodes that it wants and may hear of (XEP-0163 §4.3.4). It runs on
// owner's loop.
func (h *Host) Recall(e *feature.Env, owner string, who jid.JID, wanted func(yield func(node []byte))) {
	e.View(func(tx *store.Tx) {
		if !Has(tx, owner) {
			return
		}
		it, _ := roster.Load(tx, owner).Find(who.BareString())
		own := who.BareString() == owner
		if !own && it.State&roster.From == 0 {
			return
		}
		sent, most := 0, maxRecall
		if own {
			most = maxAnswer
		}
		wanted(func(node []byte) {
			if sent >= most {
				cut.Add(e.Shard(), 1)
				return
			}
			n, err := Find(tx, owner, string(node))
			if err != nil || n == nil || n.Last != OnSubAndPresence {
				return
			}
			if own || n.shownTo(it, h.affiliation(tx, owner, n, who)) {
				sent += n.sendLast(e, tx, owner, who)
			}
		})
	})
}
