package pubsub

import (
	"slices"

	"meerkat/engine/config"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/store"
)

// mayRead returns nil if who may see what is in the node, or the error to say why
// not (XEP-0060 §6.5.9). subscribing asks for a subscription, which may have to be
// approved still.
func (h *Host) mayRead(tx *store.Tx, owner string, n *Node, who jid.JID, subscribing bool) error {
	switch h.affiliation(tx, owner, n, who) {
	case Owner, Publisher, Member:
		return nil
	case Outcast, PublishOnly:
		return errForbidden
	}
	switch n.Access {
	case Open:
		return nil
	case Presence, Roster:
		return n.sharedWith(tx, owner, who)
	case Authorize:
		if subscribing || subscribed(tx, owner, n.Name, who) {
			return nil
		}
		return errSubscribersGet
	}
	return errClosed
}

// MayRead reports whether who may see what is in the node.
func (h *Host) MayRead(tx *store.Tx, owner string, n *Node, who jid.JID) bool {
	return h.mayRead(tx, owner, n, who, false) == nil
}

// sharedWith judges by the owner's roster.
func (n *Node) sharedWith(tx *store.Tx, owner string, who jid.JID) error {
	it, ok := roster.Load(tx, owner).Find(who.BareString())
	switch {
	case n.Access == Presence && !(ok && it.State&roster.From != 0):
		return errPresence
	case n.Access == Roster && !(ok && n.inGroup(it)):
		return errRosterGroup
	}
	return nil
}

func (n *Node) inGroup(it roster.Item) bool {
	for g := range it.Groups() {
		if slices.Contains(n.Groups, string(g)) {
			return true
		}
	}
	return false
}

// subscribed reports whether who, or its account, is subscribed.
func subscribed(tx *store.Tx, owner, node string, who jid.JID) bool {
	return State(subscriptions.of(tx, owner, node, who.String())) == Subscribed ||
		State(subscriptions.of(tx, owner, node, who.BareString())) == Subscribed
}

// mayPublish reports whether who may publish.
func (h *Host) mayPublish(tx *store.Tx, owner string, n *Node, who jid.JID) bool {
	switch h.affiliation(tx, owner, n, who) {
	case Owner, Publisher, PublishOnly:
		return true
	case Outcast:
		return false
	}
	return n.Publish == Anybody || n.Publish == Subscribers && subscribed(tx, owner, n.Name, who)
}

// owned returns a node for its owner only, or who manages all nodes.
func (h *Host) owned(tx *store.Tx, owner, name string, who jid.JID, cfg *config.Config) (*Node, error) {
	n, err := must(tx, owner, name)
	if err != nil {
		return nil, err
	}
	if h.affiliation(tx, owner, n, who) != Owner && (h.Manages == nil || !h.Manages(cfg, who)) {
		return nil, errForbidden
	}
	return n, nil
}
