// Package push wakes phones (XEP-0357 0.4.1): a client names an app server, and
// when a message comes while that client is not there, hibernates or says that
// nobody looks, the server publishes a notification to it.
//
// A registration belongs to the resource that made it. While a session of that
// name is active, nothing is published.
package push

import (
	"errors"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	space       = "urn:xmpp:push:0"
	pubsubSpace = "http://jabber.org/protocol/pubsub"
	optionsType = pubsubSpace + "#publish-options"
	summaryType = "urn:xmpp:push:summary"
	maxOptions  = 4 << 10 // bytes of publish-options
	maxNode     = 1 << 10 // bytes of a node's name
	maxBody     = 256     // bytes of a body in a summary
)

var (
	enabled = metric.NewCounter("meerkat_push_enabled_total",
		"Registrations that clients made or renewed.")
	disabled = metric.NewCounter("meerkat_push_disabled_total",
		"Registrations that clients ended.")
	dropped = metric.NewCounter("meerkat_push_dropped_total",
		"Registrations ended because their app server answered with errors, or ended them.")
	limited = metric.NewCounter("meerkat_push_limited_total",
		"Registrations refused because of push.registrations.")
	published = metric.NewCounter("meerkat_push_published_total",
		"Notifications sent to app servers.")
	coalesced = metric.NewCounter("meerkat_push_coalesced_total",
		"Messages and subscription requests that went into a notification with others.")
	failed = metric.NewCounter("meerkat_push_errors_total",
		"Notifications that app servers answered with an error.")
	unanswered = metric.NewCounter("meerkat_push_unanswered_total",
		"Notifications that app servers did not answer.")
	forged = metric.NewCounter("meerkat_push_forged_total",
		"Answers to notifications from somebody who was not asked.")
)

// Feature is push: what is declared, and what others call.
type Feature struct {
	inactive func(*account.Session) bool
	known    account.Slot[registrations] // of accounts that are here
	loops    []*home
}

// home has the senders of one loop: by registration, and by the id of the
// notification that waits for its answer.
type home struct {
	senders map[string]map[string]*sender // by owner and key
	waiting map[string]*sender
}

// New returns the feature. inactive tells sessions whose clients say that nobody
// looks (XEP-0352), loops is how many loops there are.
func New(flags *account.Flags, inactive func(*account.Session) bool, loops int) (feature.Feature, *Feature) {
	f := &Feature{inactive: inactive, known: account.NewSlot[registrations](flags), loops: make([]*home, loops)}
	for i := range f.loops {
		f.loops[i] = &home{make(map[string]map[string]*sender), make(map[string]*sender)}
	}
	return feature.Feature{
		Name:         "push",
		Spec:         "XEP-0357",
		AccountDisco: []string{space},
		IQ: []feature.IQ{
			feature.SetIQ(feature.Own, space, "enable", f.enable),
			feature.SetIQ(feature.Own, space, "disable", f.disable),
		},
		Removed: f.removed,
	}, f
}

// enable takes <enable/> (XEP-0357 §5).
func (f *Feature) enable(c *feature.Ctx, q *stanza.Stanza) {
	r, cond := read(c, q.Payload())
	if cond != stanza.OK {
		c.Fail(q, cond, "")
		return
	}
	r.resource = c.Session.JID.Resource()
	owner, limit := c.Owner.String(), c.Config.Push.Registrations
	f.change(c, q, func(tx *store.Tx) error {
		if limit > 0 && docs.Get(tx, owner, r.key()) == nil && docs.Len(tx, owner) >= limit {
			return store.ErrFull
		}
		return docs.Put(tx, owner, r.key(), r.encode())
	}, enabled, "push enabled", r)
}

// read reads a registration.
func read(c *feature.Ctx, e xml.Elem) (r registration, cond stanza.Condition) {
	server, err := jid.Parse(string(e.Attr("jid")))
	switch {
	case len(e.Attr("jid")) == 0 || len(e.Attr("node")) > maxNode:
		return r, stanza.BadRequest
	case err != nil:
		return r, stanza.JIDMalformed
	case !c.Router.Local(server.Domain()):
		return r, stanza.RemoteServerNotFound // nothing could ever be published there
	}
	r.server, r.node = server, string(e.Attr("node"))
	if x := form.Of(e); x.OK() {
		if !x.Submits() || !x.Is(optionsType) {
			return r, stanza.BadRequest
		}
		r.options = e.Child("x", form.Space).AppendTo(nil, pubsubSpace)
	}
	if len(r.options) > maxOptions {
		return r, stanza.NotAcceptable
	}
	return r, stanza.OK
}

// disable takes <disable/> (§6): of one node, or of all of a service.
func (f *Feature) disable(c *feature.Ctx, q *stanza.Stanza) {
	e := q.Payload()
	server, err := jid.Parse(string(e.Attr("jid")))
	if err != nil {
		cond := stanza.JIDMalformed
		if len(e.Attr("jid")) == 0 {
			cond = stanza.BadRequest
		}
		c.Fail(q, cond, "")
		return
	}
	node, one := string(e.Attr("node")), len(e.Attr("node")) > 0
	owner := c.Owner.String()
	f.change(c, q, func(tx *store.Tx) error {
		for _, r := range load(tx, owner) {
			if r.server == server && (!one || r.node == node) {
				if err := docs.Delete(tx, owner, r.key()); err != nil {
					return err
				}
			}
		}
		return nil
	}, disabled, "push disabled", registration{server: server, node: node})
}

// change stores what fn does to the registrations of c's account, counts, logs and
// answers.
func (f *Feature) change(c *feature.Ctx, q *stanza.Stanza, fn func(tx *store.Tx) error, count *metric.Counter, what string, r registration) {
	env, owner, req := c.Env, c.Owner, c.Later(q)
	f.update(env, owner.String(), fn, func(err error) {
		if err != nil {
			if errors.Is(err, store.ErrFull) {
				limited.Add(env.Shard(), 1)
			}
			req.Error(err)
			return
		}
		count.Add(env.Shard(), 1)
		env.Log.Debug(what, "account", owner.String(), "app_server", r.server.String(), "node", r.node)
		req.Result(nil)
	})
}

// update changes what is stored, and has it looked at anew.
func (f *Feature) update(e *feature.Env, owner string, fn func(tx *store.Tx) error, done func(err error)) {
	e.Update(fn, func(err error) {
		f.refresh(e, owner)
		done(err)
	})
}

// refresh forgets what is known of an account's registrations, and ends the
// senders of those that are gone.
func (f *Feature) refresh(e *feature.Env, owner string) {
	if a := e.Accounts.Get(owner); a != nil {
		f.known.Put(&a.Slots, nil)
	}
	var now []registration
	e.View(func(tx *store.Tx) { now = load(tx, owner) })
	for key, s := range f.home(e).senders[owner] {
		if !has(now, key) {
			s.end()
		}
	}
}

func has(list []registration, key string) bool {
	for i := range list {
		if list[i].key() == key {
			return true
		}
	}
	return false
}

// removed forgets an account.
func (f *Feature) removed(c *feature.Ctx) func() {
	e, owner := c.Env, c.Owner.Clone().String()
	return func() { f.refresh(e, owner) }
}
