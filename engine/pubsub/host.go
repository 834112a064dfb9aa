package pubsub

import (
	"time"

	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/store"
)

// Host serves the nodes of accounts, or of a service: what is theirs is named by
// an owner, the account's bare JID or the service's domain. It does not change
// once the server runs.
type Host struct {
	// Personal says that the owner is an account: it owns all nodes, makes them by
	// publishing, and shares them by its roster.
	Personal bool
	// Default is how a node is set up that nobody has set up otherwise.
	Default Config
	// Limits returns those of the day.
	Limits func(c *config.Config) Limits
	// MayCreate reports whether who may make nodes at a service.
	MayCreate func(e *feature.Env, who jid.JID) bool
	// Manages, if any, reports whether who may do with all nodes what their owners
	// may: set them up, empty and delete them.
	Manages func(c *config.Config, who jid.JID) bool
	// Hides, if any, returns what tells the contacts that owner blocks, or nil.
	Hides func(e *feature.Env, owner jid.JID) func(bare []byte) bool

	watchers map[string][]Watcher
	pending  []map[string]int // by loop: how many changes of an owner's nodes are being stored
}

// New returns h, ready for so many loops.
func New(loops int, h Host) *Host {
	for range loops {
		h.pending = append(h.pending, make(map[string]int))
	}
	return &h
}

// Limits are what an owner may have. 0 is no limit, but for Items.
type Limits struct {
	Nodes       int // all of them
	Items       int // of a node; what Max means
	ItemBytes   int // of one item
	Bytes       int // of all items
	Subscribers int // of a node; also affiliated addresses
}

// Watcher hears of what clients change at nodes of accounts that have this name.
type Watcher struct {
	Node string
	// Config, if not nil, is how such a node is set up that nobody has set up
	// otherwise.
	Config *Config
	// Changed runs in the transaction of the change and may write, or refuse it
	// with an error. after, if not nil, runs on the owner's loop once it is stored.
	// See package store for what fn of an Update may do.
	Changed func(tx *store.Tx, owner string, ch Change) (after func(e *feature.Env), err error)
}

// Change is what clients have changed.
type Change struct {
	Node      string
	Time      time.Time
	Config    *config.Config // of then
	Published []Item         // in order
	Retracted []string       // their ids
	Emptied   bool           // all items are gone, with or without the node
	Set       bool           // the node is set up otherwise
}

// Watch adds a Watcher. It is called before the server runs.
func (h *Host) Watch(w Watcher) {
	if h.watchers == nil {
		h.watchers = make(map[string][]Watcher)
	}
	h.watchers[w.Node] = append(h.watchers[w.Node], w)
}

// config returns how a node of that name is set up if nobody says otherwise.
func (h *Host) config(node string) Config {
	for _, w := range h.watchers[node] {
		if w.Config != nil {
			return *w.Config
		}
	}
	return h.Default
}

// most is how many items a node keeps.
func (l Limits) most(c *Config) int {
	if c.MaxItems == Max || c.MaxItems > l.Items {
		return l.Items
	}
	return c.MaxItems
}
