// Package bookmarks keeps the rooms that a user wants to find again in one place,
// whichever way clients store them: each is an item of a node of its own
// (XEP-0402 1.2.0). Clients that know the older ways see and write the same rooms
// in one element (XEP-0048), which is an item of another node, and private XML
// (XEP-0049) besides (XEP-0411 1.1.0).
//
// That element is made anew, and stored, whenever a room changes. What it has
// besides rooms, such as addresses of web pages, is kept in it. It can be written,
// but not thrown away: retracting, purging or deleting it leaves the rooms, and so
// it comes back.
package bookmarks

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/pubsub"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// Names of the nodes, which are the namespaces of what is in them, too.
const (
	space    = "urn:xmpp:bookmarks:1"
	oldSpace = "storage:bookmarks"
)

// Key names the element in private XML: namespace and name.
const Key = oldSpace + " storage"

// current is the item of the old node.
const current = "current"

var (
	converted = metric.NewCounter("meerkat_bookmarks_converted_total",
		"Rooms set or removed by clients that store bookmarks in one element (XEP-0048).")
	collected = metric.NewCounter("meerkat_bookmarks_collected_total",
		"Changes of rooms that were shown to such clients (XEP-0411).")
)

// Feature has the bookmarks of all accounts.
type Feature struct{ host *pubsub.Host }

// private is how the nodes are set up: for nobody else (XEP-0223).
func private(items int) *pubsub.Config {
	c := pubsub.PersonalConfig
	c.Access, c.MaxItems = pubsub.Whitelist, items
	return &c
}

// New returns the feature. host has the nodes of accounts.
func New(host *pubsub.Host) (feature.Feature, *Feature) {
	f := &Feature{host}
	rooms := private(pubsub.Max)
	rooms.Last = pubsub.Never // XEP-0402 §3.3
	host.Watch(pubsub.Watcher{Node: space, Config: rooms, Changed: f.roomsChanged})
	host.Watch(pubsub.Watcher{Node: oldSpace, Config: private(1), Changed: f.elementChanged})
	return feature.Feature{
		Name:         "bookmarks",
		Spec:         "XEP-0048, XEP-0402, XEP-0411",
		AccountDisco: []string{space + "#compat", space + "#compat-pep", "urn:xmpp:bookmarks-conversion:0"},
	}, f
}

// change is one of an account's bookmarks, in a transaction.
type change struct {
	host   *pubsub.Host
	tx     *store.Tx
	owner  string
	now    time.Time
	limits pubsub.Limits
	events []*pubsub.Event
	rooms  uint64 // changed
}

func (f *Feature) change(tx *store.Tx, owner string, now time.Time, cfg *config.Config) *change {
	return &change{host: f.host, tx: tx, owner: owner, now: now, limits: f.host.Limits(cfg)}
}

// tell returns what sends the events, once all is stored.
func (c *change) tell(count *metric.Counter, n uint64) func(e *feature.Env) {
	events := c.events
	return func(e *feature.Env) {
		count.Add(e.Shard(), n)
		for _, ev := range events {
			ev.Send(e)
		}
	}
}

// roomsChanged has the element made anew.
func (f *Feature) roomsChanged(tx *store.Tx, owner string, ch pubsub.Change) (func(e *feature.Env), error) {
	if ch.Set {
		return nil, nil
	}
	c := f.change(tx, owner, ch.Time, ch.Config)
	err := c.collect()
	return c.tell(collected, uint64(len(c.events))), err
}

// elementChanged takes what a client has published in one element.
func (f *Feature) elementChanged(tx *store.Tx, owner string, ch pubsub.Change) (func(e *feature.Env), error) {
	c := f.change(tx, owner, ch.Time, ch.Config)
	switch n := len(ch.Published); {
	case n > 0:
		list, ok := parse(ch.Published[n-1].Payload)
		if !ok {
			return nil, &pubsub.Error{Condition: stanza.BadRequest, Name: "invalid-payload"} // XEP-0060 §7.1.3.5
		}
		if err := c.host.Restrict(tx, owner, oldSpace); err != nil {
			return nil, err
		}
		err := c.set(list, false)
		return c.tell(converted, c.rooms), err
	case !ch.Set:
		err := c.collect()
		return c.tell(collected, uint64(len(c.events))), err
	}
	return nil, nil
}

// Get returns the element, nil if there is nothing in it.
func (f *Feature) Get(tx *store.Tx, owner string) []byte {
	if v := element(tx, owner); v != nil {
		return v
	}
	v, _ := join(tx, owner) // of rooms without an element
	return v
}

// Set takes a new element out of private XML (XEP-0402 §5.1.2). With merge its
// rooms are added to those there are, which stay as they are. The result runs on
// the owner's loop once that is stored.
func (f *Feature) Set(tx *store.Tx, owner string, now time.Time, cfg *config.Config, v []byte, merge bool) (func(e *feature.Env), error) {
	list, ok := parse(v)
	if !ok {
		return nil, stanza.BadRequest
	}
	c := f.change(tx, owner, now, cfg)
	err := c.set(list, merge)
	switch {
	case err != nil:
	case merge:
		err = c.collect(v)
	default:
		err = c.put(v)
	}
	return c.tell(converted, c.rooms), err
}

// element returns what clients of old find, nil if there is nothing.
func element(tx *store.Tx, owner string) []byte {
	n, err := pubsub.Find(tx, owner, oldSpace)
	if err != nil || n == nil {
		return nil
	}
	it, _ := n.LastItem(tx, owner)
	return it.Payload
}

// collect makes the element anew, with what it and others have besides rooms.
func (c *change) collect(others ...[]byte) error {
	old := element(c.tx, c.owner)
	v, err := join(c.tx, c.owner, append(others, old)...)
	if err != nil || v == nil && old == nil {
		return err
	}
	if v == nil {
		v = empty
	}
	return c.put(v)
}

// put stores the element, where nobody else sees it, unless it is there already.
func (c *change) put(v []byte) error {
	if err := c.host.Restrict(c.tx, c.owner, oldSpace); err != nil || bytes.Equal(v, element(c.tx, c.owner)) {
		return err
	}
	ev, err := c.host.Publish(c.tx, c.limits, c.owner, oldSpace, pubsub.Item{ID: current, Time: c.now, Payload: v}, nil)
	c.events = append(c.events, ev)
	return err
}

// set makes the rooms what a client of old says, where that is something new
// (XEP-0402 §5.1.2). With keep it only adds.
func (c *change) set(list []room, keep bool) error {
	if err := c.host.Restrict(c.tx, c.owner, space); err != nil {
		return err
	}
	had, err := rooms(c.tx, c.owner)
	if err != nil {
		return err
	}
	if len(list) > c.limits.Items || keep && len(list)+len(had) > c.limits.Items && c.more(list, had) {
		return stanza.ResourceConstraint // the oldest would make room, and be lost
	}
	wanted := make(map[string]bool, len(list))
	for i := range list {
		wanted[list[i].id] = true
	}
	if !keep {
		if err := c.drop(had, wanted); err != nil {
			return err
		}
	}
	for i := range list {
		before, known := had[list[i].id]
		if known && (keep || before.same(&list[i])) {
			continue
		}
		if known {
			list[i].item, list[i].more = before.item, before.more
		}
		if err := c.publish(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// drop removes the rooms that are not wanted: before others are published, so that
// these take the place of none that is.
func (c *change) drop(had map[string]room, wanted map[string]bool) error {
	for _, id := range slices.Sorted(maps.Keys(had)) {
		if wanted[id] {
			continue
		}
		ev, err := c.host.Retract(c.tx, c.owner, space, had[id].item)
		if err != nil {
			return err
		}
		c.rooms, c.events = c.rooms+1, append(c.events, ev)
	}
	return nil
}

// more reports whether both together are more rooms than are kept.
func (c *change) more(list []room, had map[string]room) bool {
	n := len(had)
	for i := range list {
		if _, known := had[list[i].id]; !known {
			n++
		}
	}
	return n > c.limits.Items
}

func (c *change) publish(r *room) error {
	it := pubsub.Item{ID: r.item, Time: c.now, Payload: r.payload()}
	ev, err := c.host.Publish(c.tx, c.limits, c.owner, space, it, nil)
	c.rooms, c.events = c.rooms+1, append(c.events, ev)
	return err
}
