package pubsub

import (
	"encoding/binary"
	"errors"
	"strings"

	"meerkat/store"
)

// What is stored, all of it for an owner: an account's bare JID or a service's
// domain. Names of nodes and items have no NUL, which no XML has.
var (
	tallies = store.NewDoc("pubsub")         // the number of nodes, and the bytes of all items and affiliations, as varints; none for no nodes
	nodes   = store.NewMap("pubsub-node")    // by name: see Node.append
	items   = store.NewMap("pubsub-item")    // by node, NUL, number (8 bytes): see Item.append
	numbers = store.NewMap("pubsub-item-id") // by node, NUL, item: its number

	affiliations  = relation{store.NewMap("pubsub-affiliation"), store.NewMap("pubsub-affiliated")}
	subscriptions = relation{store.NewMap("pubsub-subscription"), store.NewMap("pubsub-subscribed")}
)

// maxName is the longest name of a node or an item, in bytes.
const maxName = 1023

var errDamaged = errors.New("pubsub: damaged")

// Node is a node.
type Node struct {
	Name string
	Config
	Created int64 // seconds since 1970

	seq   uint64 // number of the item published last, there or not
	last  uint64 // number of the newest item there is; 0: none
	count uint64 // items
	bytes uint64 // of all of them
	subs  uint64 // subscriptions, pending ones included
}

// Count returns how many items the node has.
func (n *Node) Count() int { return int(n.count) }

// nodeVersion is the first byte of a stored node.
const nodeVersion = 1

// append appends the stored form.
func (n *Node) append(b []byte) []byte {
	b = append(b, nodeVersion, byte(n.Access), byte(n.Publish), byte(n.Last))
	var bits uint64
	for i, p := range n.bits() {
		if *p {
			bits |= 1 << i
		}
	}
	for _, v := range []uint64{bits, uint64(n.Created), n.seq, n.last, n.count, n.bytes, n.subs, uint64(n.MaxItems + 1), uint64(n.MaxPayload), uint64(len(n.Groups))} {
		b = binary.AppendUvarint(b, v)
	}
	for _, s := range append([]string{n.Title, n.Description, n.Language, n.Type}, n.Groups...) {
		b = store.AppendField(b, s)
	}
	return b
}

func (n *Node) bits() []*bool {
	return []*bool{&n.Normal, &n.Persist, &n.Deliver, &n.Payloads, &n.NotifyConfig, &n.NotifyDelete, &n.NotifyRetract, &n.NotifySub}
}

// parseNode reads the stored form.
func parseNode(name string, v []byte) (n *Node, err error) {
	if len(v) < 4 || v[0] != nodeVersion || int(v[1]) >= len(accessNames) || int(v[2]) >= len(publishNames) || int(v[3]) >= len(lastNames) {
		return nil, errDamaged
	}
	n = &Node{Name: name}
	n.Access, n.Publish, n.Last = Access(v[1]), PublishModel(v[2]), SendLast(v[3])
	r := store.Fields{Rest: v[4:]}
	bits := r.Uint()
	n.Created = int64(r.Uint())
	n.seq, n.last, n.count, n.bytes, n.subs = r.Uint(), r.Uint(), r.Uint(), r.Uint(), r.Uint()
	n.MaxItems, n.MaxPayload = int(r.Uint())-1, int(r.Uint())
	groups := r.Uint()
	n.Title, n.Description, n.Language, n.Type = r.Text(), r.Text(), r.Text(), r.Text()
	for ; groups > 0 && !r.Bad; groups-- {
		n.Groups = append(n.Groups, r.Text())
	}
	for i, p := range n.bits() {
		*p = bits>>i&1 != 0
	}
	if r.Bad {
		return nil, errDamaged
	}
	return n, nil
}

// Has reports whether owner has any node. It is cheap where there are none.
func Has(tx *store.Tx, owner string) bool { return len(tallies.Get(tx, owner)) > 0 }

// Find returns a node, nil if there is none.
func Find(tx *store.Tx, owner, name string) (*Node, error) {
	if name == "" || len(name) > maxName {
		return nil, nil
	}
	v := nodes.Get(tx, owner, name)
	if v == nil {
		return nil, nil
	}
	return parseNode(name, v)
}

// must is Find where a node that is not there is an error.
func must(tx *store.Tx, owner, name string) (*Node, error) {
	if name == "" {
		return nil, errNodeRequired
	}
	n, err := Find(tx, owner, name)
	if err == nil && n == nil {
		err = errNoNode
	}
	return n, err
}

// Each calls fn for every node of owner, in order of their names.
func Each(tx *store.Tx, owner string, fn func(n *Node) error) error {
	return nodes.Each(tx, owner, func(name string, v []byte) error {
		n, err := parseNode(name, v)
		if err != nil {
			return err
		}
		return fn(n)
	})
}

func (n *Node) put(tx *store.Tx, owner string) error {
	return nodes.Put(tx, owner, n.Name, n.append(nil))
}

// tally is what an owner has.
type tally struct{ nodes, bytes uint64 }

func readTally(tx *store.Tx, owner string) (t tally) {
	r := store.Fields{Rest: tallies.Get(tx, owner)}
	t.nodes, t.bytes = r.Uint(), r.Uint()
	return t
}

func (t tally) put(tx *store.Tx, owner string) error {
	if t.nodes == 0 {
		return tallies.Delete(tx, owner)
	}
	return tallies.Put(tx, owner, binary.AppendUvarint(binary.AppendUvarint(nil, t.nodes), t.bytes))
}

// remove removes the node and all that hangs on it.
func (n *Node) remove(tx *store.Tx, owner string) error {
	if err := n.clear(tx, owner); err != nil {
		return err
	}
	if err := clearAffiliations(tx, owner, n.Name); err != nil {
		return err
	}
	if err := subscriptions.clear(tx, owner, n.Name); err != nil {
		return err
	}
	if err := nodes.Delete(tx, owner, n.Name); err != nil {
		return err
	}
	t := readTally(tx, owner)
	t.nodes = less(t.nodes, 1)
	return t.put(tx, owner)
}

// eachBelow calls fn for the keys of m that begin with name and NUL, with what
// follows.
func eachBelow(m store.Map, tx *store.Tx, owner, name string, fn func(rest string, v []byte) error) error {
	prefix := name + "\x00"
	return m.EachFrom(tx, owner, prefix, func(key string, v []byte) error {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok {
			return store.ErrStop
		}
		return fn(rest, v)
	})
}
