// Package caps knows what a client says it can do (XEP-0115 1.6.0): the
// verification string of a disco#info, and what of it the server uses. The
// feature of the same name asks the clients; others look here.
package caps

import (
	"slices"
	"strings"

	"meerkat/engine/account"
	"meerkat/engine/metric"
	"meerkat/xml"
)

// Space is the namespace of entity capabilities, InfoSpace that of what they are
// the hash of.
const (
	Space     = "http://jabber.org/protocol/caps"
	InfoSpace = "http://jabber.org/protocol/disco#info"
)

// wish ends a feature that says: tell me what is published at this node
// (XEP-0060 §9.2).
const wish = "+notify"

// Set is what the server uses of a client's features. It does not change, and
// all clients with the same verification string share one.
type Set struct {
	nodes []string // in order
}

// A client that wants more than this is told of some only: every login looks for
// each of them at each contact.
const (
	maxNodes = 100
	maxBytes = 8 << 10 // of all their names
)

// NewSet makes a Set of features, in any order.
func NewSet(features []string) *Set {
	s, left := &Set{}, maxBytes
	for _, f := range features {
		node, ok := strings.CutSuffix(f, wish)
		if !ok || node == "" {
			continue
		}
		if left -= len(node); left < 0 || len(s.nodes) == maxNodes {
			break
		}
		s.nodes = append(s.nodes, strings.Clone(node))
	}
	slices.Sort(s.nodes)
	s.nodes = slices.Clip(slices.Compact(s.nodes))
	return s
}

// Nodes returns the nodes whose events the client wants, in order.
func (s *Set) Nodes() []string {
	if s == nil {
		return nil
	}
	return s.nodes
}

// Features returns the features that make a Set like s.
func (s *Set) Features() (list []string) {
	for _, n := range s.Nodes() {
		list = append(list, n+wish)
	}
	return list
}

// Wants reports whether the client wants a node's events.
func (s *Set) Wants(node []byte) bool {
	if s == nil {
		return false
	}
	lo, hi := 0, len(s.nodes)
	for lo < hi {
		if mid := (lo + hi) / 2; s.nodes[mid] < string(node) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(s.nodes) && s.nodes[lo] == string(node)
}

// Client is what is known of a session's client. Only sessions that have sent
// capabilities have one.
type Client struct {
	Key  string // of what it said last, see Read
	Set  *Set   // nil: not known yet
	Told bool   // it has heard the last events of what Set wants
	Asks uint32 // number of the question that is under way; 0: none
}

// Clients is where sessions keep their Client.
type Clients struct{ slot account.Slot[Client] }

var advertising = metric.NewGauge("meerkat_caps_clients", "Sessions that have said what they can do (XEP-0115).")

// NewClients takes a slot.
func NewClients(flags *account.Flags) *Clients {
	return &Clients{account.NewSlot[Client](flags)}
}

// Of returns s's Client, or nil.
func (c *Clients) Of(s *account.Session) *Client { return c.slot.Of(s.Slots) }

// Put makes cl the Client of s; nil is none. shard is the loop's.
func (c *Clients) Put(shard int, s *account.Session, cl *Client) {
	before := c.Of(s)
	c.slot.Put(&s.Slots, cl)
	switch {
	case before == nil && cl != nil:
		advertising.Add(shard, 1)
	case before != nil && cl == nil:
		advertising.Add(shard, -1)
	}
}

// Wants reports whether s's client wants a node's events.
func (c *Clients) Wants(s *account.Session, node []byte) bool {
	cl := c.Of(s)
	return cl != nil && cl.Set.Wants(node)
}

// Advert is a <c/> in presence (XEP-0115 §4). It borrows from the presence.
type Advert struct{ Hash, Node, Ver []byte }

// Read returns what presence says of its sender's capabilities, false if nothing
// or not enough to ask.
func Read(presence xml.Elem) (a Advert, ok bool) {
	c := presence.Child("c", Space)
	if !c.OK() {
		return a, false
	}
	a = Advert{c.Attr("hash"), c.Attr("node"), c.Attr("ver")}
	return a, len(a.Ver) > 0 && len(a.Ver) <= maxVer && len(a.Hash) <= 32 && len(a.Node) <= maxVer
}

// maxVer is the longest string that is dealt with, in bytes: hashes have 28 to
// 88, the legacy format has versions.
const maxVer = 256

// AppendKey appends what tells the advert from those of other clients: hash and
// verification string; of the legacy format also the node.
func (a Advert) AppendKey(b []byte) []byte {
	b = append(append(b, a.Hash...), ' ')
	b = append(b, a.Ver...)
	if len(a.Hash) == 0 {
		b = append(append(b, ' '), a.Node...)
	}
	return b
}
