package pubsub

import (
	"strings"

	"meerkat/engine/jid"
	"meerkat/store"
)

// relation is what addresses are to nodes, one byte each, kept in both orders:
// by node, NUL, address; and by bare address, NUL, node, NUL, address.
type relation struct{ byNode, byWho store.Map }

// of returns what who is to a node, 0 for nothing.
func (r relation) of(tx *store.Tx, owner, node, who string) byte {
	if v := r.byNode.Get(tx, owner, node+"\x00"+who); len(v) == 1 {
		return v[0]
	}
	return 0
}

// put makes who v to a node; 0 ends it.
func (r relation) put(tx *store.Tx, owner, node, who string, v byte) error {
	k1, k2 := node+"\x00"+who, bareOf(who)+"\x00"+node+"\x00"+who
	if v == 0 {
		if err := r.byNode.Delete(tx, owner, k1); err != nil {
			return err
		}
		return r.byWho.Delete(tx, owner, k2)
	}
	if err := r.byNode.Put(tx, owner, k1, []byte{v}); err != nil {
		return err
	}
	return r.byWho.Put(tx, owner, k2, []byte{v})
}

// bareOf cuts a prepared address at its first slash, which ends the domain.
func bareOf(who string) string {
	bare, _, _ := strings.Cut(who, "/")
	return bare
}

// each calls fn for all that anybody is to a node.
func (r relation) each(tx *store.Tx, owner, node string, fn func(who string, v byte) error) error {
	return eachBelow(r.byNode, tx, owner, node, func(who string, v []byte) error {
		if len(v) != 1 {
			return errDamaged
		}
		return fn(who, v[0])
	})
}

// eachOf calls fn for all that a bare address, or one of its resources, is to any
// node.
func (r relation) eachOf(tx *store.Tx, owner, bare string, fn func(node, who string, v byte) error) error {
	return eachBelow(r.byWho, tx, owner, bare, func(rest string, v []byte) error {
		node, who, ok := strings.Cut(rest, "\x00")
		if !ok || len(v) != 1 {
			return errDamaged
		}
		return fn(node, who, v[0])
	})
}

// clear ends all there is to a node.
func (r relation) clear(tx *store.Tx, owner, node string) error {
	for _, who := range r.list(tx, owner, node) {
		if err := r.put(tx, owner, node, who, 0); err != nil {
			return err
		}
	}
	return nil
}

// list returns the addresses that are anything to a node.
func (r relation) list(tx *store.Tx, owner, node string) (all []string) {
	_ = r.each(tx, owner, node, func(who string, _ byte) error { all = append(all, who); return nil })
	return all
}

// Affiliation is what a bare address is to a node (XEP-0060 §4.1).
type Affiliation byte

// The affiliations.
const (
	None Affiliation = iota
	Owner
	Publisher
	PublishOnly
	Member
	Outcast
)

var affiliationNames = []string{"none", "owner", "publisher", "publish-only", "member", "outcast"}

// State is what a subscription is in (XEP-0060 §4.2).
type State byte

// The states.
const (
	Unsubscribed State = iota
	Pending
	Subscribed
)

var stateNames = []string{"none", "pending", "subscribed"}

// setState makes who's subscription to n what s is, and stores n, which counts
// them.
func (n *Node) setState(tx *store.Tx, owner, who string, s State) error {
	before := State(subscriptions.of(tx, owner, n.Name, who))
	switch {
	case before == s:
		return nil
	case before == Unsubscribed:
		n.subs++
	case s == Unsubscribed:
		n.subs--
	}
	if err := subscriptions.put(tx, owner, n.Name, who, byte(s)); err != nil {
		return err
	}
	return n.put(tx, owner)
}

// affiliation returns what who is to the node. The account is the owner of all
// its nodes.
func (h *Host) affiliation(tx *store.Tx, owner string, n *Node, who jid.JID) Affiliation {
	bare := who.BareString()
	if h.Personal && bare == owner {
		return Owner
	}
	return Affiliation(affiliations.of(tx, owner, n.Name, bare))
}
