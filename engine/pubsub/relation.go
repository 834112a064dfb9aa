package pubsub

import (
	"strings"

	"meerkat/engine/jid"
	"meerkat/store"
)

// relation is what addresses are to nodes, one byte each, kept in both orders: for
// the owner of the nodes by node, NUL, address; and for the bare address by owner,
// NUL, node, NUL, address.
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
	k1, k2 := node+"\x00"+who, owner+"\x00"+node+"\x00"+who
	if v == 0 {
		if err := r.byNode.Delete(tx, owner, k1); err != nil {
			return err
		}
		return r.byWho.Delete(tx, bareOf(who), k2)
	}
	if err := r.byNode.Put(tx, owner, k1, []byte{v}); err != nil {
		return err
	}
	return r.byWho.Put(tx, bareOf(who), k2, []byte{v})
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
	return eachBelow(r.byWho, tx, bare, owner, func(rest string, v []byte) error {
		node, who, ok := strings.Cut(rest, "\x00")
		if !ok || len(v) != 1 {
			return errDamaged
		}
		return fn(node, who, v[0])
	})
}

// many counts what a bare address and its resources are to one node.
func (r relation) many(tx *store.Tx, owner, node, bare string) (n int) {
	_ = eachBelow(r.byWho, tx, bare, owner+"\x00"+node, func(string, []byte) error { n++; return nil })
	return n
}

// tie is one line of a relation.
type tie struct {
	owner, node, who string
	v                byte
}

// ties of an answer: no more than it may have.
type ties struct {
	list []tie
	size int
}

func (t *ties) add(node, who string, v byte) error {
	if t.size += len(node) + len(who); t.size > maxAnswer {
		return errAnswerTooBig
	}
	t.list = append(t.list, tie{node: node, who: who, v: v})
	return nil
}

// ties returns all that a bare address, or one of its resources, is to nodes of
// whomever.
func (r relation) ties(tx *store.Tx, bare string) (all []tie) {
	_ = r.byWho.Each(tx, bare, func(key string, _ []byte) error {
		if parts := strings.SplitN(key, "\x00", 3); len(parts) == 3 {
			all = append(all, tie{owner: parts[0], node: parts[1], who: parts[2]})
		}
		return nil
	})
	return all
}

// Forget ends all that the account is to nodes of others, and others are to its
// own: who gets the name next must not hear what it may not. It comes before the
// account's own data is removed.
func Forget(tx *store.Tx, account string) error {
	for _, t := range affiliations.ties(tx, account) {
		if err := setAffiliation(tx, t.owner, t.node, t.who, None); err != nil {
			return err
		}
	}
	for _, t := range subscriptions.ties(tx, account) {
		n, err := Find(tx, t.owner, t.node)
		if err != nil || n == nil {
			continue
		}
		if err := n.setState(tx, t.owner, t.who, Unsubscribed); err != nil {
			return err
		}
	}
	var names []string
	if err := Each(tx, account, func(n *Node) error { names = append(names, n.Name); return nil }); err != nil {
		return err
	}
	for _, name := range names {
		if err := clearAffiliations(tx, account, name); err != nil {
			return err
		}
		if err := subscriptions.clear(tx, account, name); err != nil {
			return err
		}
	}
	return nil
}

// resources returns what a bare address, and which of its resources, are to a node.
func (r relation) resources(tx *store.Tx, owner, node, bare string) (all []string) {
	_ = eachBelow(r.byWho, tx, bare, owner+"\x00"+node, func(who string, _ []byte) error {
		all = append(all, who)
		return nil
	})
	return all
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
		n.subs = less(n.subs, 1)
	}
	if err := subscriptions.put(tx, owner, n.Name, who, byte(s)); err != nil {
		return err
	}
	return n.put(tx, owner)
}

// setAffiliation makes a bare address a to a node. What the owner says of people
// counts for its quota as items do.
func setAffiliation(tx *store.Tx, owner, node, who string, a Affiliation) error {
	if before := affiliations.of(tx, owner, node, who); (before == 0) != (a == None) {
		t, size := readTally(tx, owner), uint64(2*len(node)+2*len(who)+len(owner))
		if a == None {
			t.bytes = less(t.bytes, size)
		} else {
			t.bytes += size
		}
		if err := t.put(tx, owner); err != nil {
			return err
		}
	}
	return affiliations.put(tx, owner, node, who, byte(a))
}

// clearAffiliations ends all there are to a node.
func clearAffiliations(tx *store.Tx, owner, node string) error {
	for _, who := range affiliations.list(tx, owner, node) {
		if err := setAffiliation(tx, owner, node, who, None); err != nil {
			return err
		}
	}
	return nil
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
