package pubsub

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// What changes nodes: all of it within an Update.

// create makes a node, which must not be there. It is counted, not written yet,
// but for who made it.
func (h *Host) create(tx *store.Tx, lim Limits, owner, name string, cfg Config, who jid.JID, now time.Time) (*Node, error) {
	if len(name) > maxName {
		return nil, errMalformed
	}
	t := readTally(tx, owner)
	if lim.Nodes > 0 && t.nodes >= uint64(lim.Nodes) {
		return nil, limitError(fullNodes)
	}
	t.nodes++
	if err := t.put(tx, owner); err != nil {
		return nil, err
	}
	n := &Node{Name: name, Config: cfg, Created: now.Unix()}
	if !h.Personal {
		if err := setAffiliation(tx, owner, name, who.BareString(), Owner); err != nil {
			return nil, err
		}
	}
	return n, n.put(tx, owner)
}

// limitError is a full quota, with the index of its metric.
type limitError int

// Error names the limit.
func (e limitError) Error() string { return "pubsub: limit" }

// Unwrap lets feature.Condition see what who knows nothing of nodes hears.
func (e limitError) Unwrap() error { return stanza.ResourceConstraint }

// asError is what the client hears, and counts it.
func asError(shard int, err error) error {
	if e, ok := err.(*Error); ok && e.Hit != nil {
		e.Hit.Add(shard, 1)
	}
	l, ok := err.(limitError)
	if !ok {
		return err
	}
	full.Add(shard, int(l), 1)
	switch l {
	case fullItemBytes:
		return errPayloadTooBig
	case fullSubscribers:
		return errTooMany
	}
	return errFull
}

// randomID names what the client gave no name.
func randomID() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// keep stores items at n, and n. The oldest make room, but no items of one request
// for each other. What is not to be kept is only counted.
func (n *Node) keep(tx *store.Tx, lim Limits, owner string, list []Item) error {
	t, most := readTally(tx, owner), lim.most(&n.Config)
	if n.Persist && len(list) > most {
		return errTooManyItems
	}
	for i := range list {
		if err := n.check(&list[i], lim); err != nil {
			return err
		}
		if !n.Persist {
			continue
		}
		if err := n.store(tx, owner, &list[i], most, &t); err != nil {
			return err
		}
	}
	if lim.Bytes > 0 && t.bytes > uint64(lim.Bytes) {
		return limitError(fullBytes)
	}
	return n.save(tx, owner, &t)
}

// check holds one item against what may be kept.
func (n *Node) check(it *Item, lim Limits) error {
	switch {
	case len(it.ID) > maxName:
		return errMalformed
	case lim.ItemBytes > 0 && len(it.Payload) > lim.ItemBytes:
		return limitError(fullItemBytes)
	case n.MaxPayload > 0 && len(it.Payload) > n.MaxPayload:
		return errPayloadTooBig
	}
	return nil
}

// Publish publishes an item as the server, at a node of an account that is made
// with cfg, nil for the default of its name, if it is not there.
func (h *Host) Publish(tx *store.Tx, lim Limits, owner, node string, it Item, cfg *Config) (*Event, error) {
	n, err := Find(tx, owner, node)
	if err == nil && n == nil {
		if cfg == nil {
			d := h.config(node)
			cfg = &d
		}
		n, err = h.create(tx, lim, owner, node, *cfg, jid.JID{}, it.Time)
	}
	if err != nil {
		return nil, err
	}
	if it.ID == "" {
		it.ID = randomID()
	}
	if it.Publisher == "" {
		it.Publisher = owner
	}
	if err := n.keep(tx, lim, owner, []Item{it}); err != nil {
		return nil, err
	}
	return &Event{host: h, owner: owner, node: n, items: []Item{it}}, nil
}

// Retract removes an item as the server. The Event is nil if there is none.
func (h *Host) Retract(tx *store.Tx, owner, node, id string) (*Event, error) {
	n, err := Find(tx, owner, node)
	if err != nil || n == nil {
		return nil, err
	}
	t := readTally(tx, owner)
	ok, err := n.retract(tx, owner, id, &t)
	if err != nil || !ok {
		return nil, err
	}
	if err := n.save(tx, owner, &t); err != nil {
		return nil, err
	}
	return &Event{host: h, owner: owner, node: n, retracted: []string{id}}, nil
}

// Restrict makes the access model of a node Whitelist, if there is one.
func (h *Host) Restrict(tx *store.Tx, owner, node string) error {
	n, err := Find(tx, owner, node)
	if err != nil || n == nil || n.Access == Whitelist {
		return err
	}
	n.Access = Whitelist
	return n.put(tx, owner)
}
