package pubsub

import (
	"time"

	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// Handle answers a request whose payload is <pubsub/>, of either namespace, on
// the loop of c.Owner, whose nodes it is about.
func (h *Host) Handle(c *feature.Ctx, q *stanza.Stanza) {
	if q.Type == stanza.Get && c.Session == nil && h.pending[c.Shard()][c.Owner.String()] > 0 {
		h.afterChanges(c, q)
		return
	}
	e := firstOf(q.Payload())
	owner := string(q.Payload().Space()) == OwnerSpace
	handle := handlers[action{string(e.Local()), owner, q.Type == stanza.Set}]
	if handle == nil {
		h.unknown(c, q, e, owner)
		return
	}
	handle(h, c, q, e)
}

// afterChanges answers q once the changes that came before are stored, one of
// which may be of the same client (RFC 6120 §10.1).
func (h *Host) afterChanges(c *feature.Ctx, q *stanza.Stanza) {
	env, owner, b := c.Env, c.Owner.Clone(), q.Append(nil)
	env.WhenSettled(func() {
		var doc xml.Doc
		var q stanza.Stanza
		e, err := doc.Parse(b, stanza.Client)
		if err != nil || q.Read(e) != stanza.OK {
			return
		}
		if q.From, err = jid.View(q.Claimed); err == nil {
			h.Handle(&feature.Ctx{Env: env, Owner: owner, Account: env.Accounts.Get(owner.String())}, &q)
		}
	})
}

// firstOf returns the child that says what is asked for: configure,
// publish-options and options may come before it.
func firstOf(p xml.Elem) xml.Elem {
	first := p.First()
	for e := first; e.OK(); e = e.Next() {
		switch string(e.Local()) {
		case "create", "publish", "subscribe":
			if string(e.Space()) == string(p.Space()) {
				return e
			}
		}
	}
	if string(first.Space()) != string(p.Space()) {
		return xml.Elem{}
	}
	return first
}

// action is what a request asks for: an element, in the namespace of owners or
// not, in a set or not.
type action struct {
	name       string
	owner, set bool
}

type handler func(h *Host, c *feature.Ctx, q *stanza.Stanza, e xml.Elem)

var handlers = map[action]handler{
	{"publish", false, true}:        (*Host).publish,
	{"retract", false, true}:        (*Host).retract,
	{"items", false, false}:         (*Host).tellItems,
	{"create", false, true}:         (*Host).createNode,
	{"subscribe", false, true}:      (*Host).subscribe,
	{"unsubscribe", false, true}:    (*Host).unsubscribe,
	{"subscriptions", false, false}: (*Host).tellOwnSubscriptions,
	{"affiliations", false, false}:  (*Host).tellOwnAffiliations,
	{"configure", true, false}:      (*Host).tellConfig,
	{"configure", true, true}:       (*Host).configure,
	{"default", true, false}:        (*Host).tellDefault,
	{"delete", true, true}:          (*Host).deleteNode,
	{"purge", true, true}:           (*Host).purge,
	{"affiliations", true, false}:   (*Host).tellAffiliations,
	{"affiliations", true, true}:    (*Host).setAffiliations,
	{"subscriptions", true, false}:  (*Host).tellSubscriptions,
	{"subscriptions", true, true}:   (*Host).setSubscriptions,
}

// unknown answers what we don't do: with the name of the feature where XEP-0060
// has one.
func (h *Host) unknown(c *feature.Ctx, q *stanza.Stanza, e xml.Elem, owner bool) {
	switch name := string(e.Local()); {
	case !e.OK():
		refuse(c, q, errMalformed)
	case name == "options" && !owner:
		refuse(c, q, unsupported("subscription-options"))
	case name == "default" && !owner:
		refuse(c, q, unsupported("retrieve-default-sub"))
	default:
		refuse(c, q, errMalformed)
	}
}

// result is what a change has come to: what the answer says, nil for nothing,
// who hears of it, and what else there is to do.
type result struct {
	answer func(b *xml.Builder)
	events []*Event
	after  []func(e *feature.Env)
}

// update carries out a change: fn runs on the writer's goroutine and returns what
// has come of it. The answer goes out after the commit, and then the events.
func (h *Host) update(c *feature.Ctx, q *stanza.Stanza, fn func(tx *store.Tx) (result, error)) {
	env, owner, req := c.Env, c.Owner.Clone(), c.Later(q)
	pending := h.pending[env.Shard()]
	pending[owner.String()]++
	var r result
	env.Update(func(tx *store.Tx) (err error) {
		if h.Personal && !env.Users.Exists(tx, owner) { // removed meanwhile, or never there
			return errNoNode
		}
		r, err = fn(tx)
		return err
	}, func(err error) {
		if pending[owner.String()]--; pending[owner.String()] == 0 {
			delete(pending, owner.String())
		}
		if err != nil {
			refuseLater(env, req, asError(env.Shard(), err))
			return
		}
		req.Result(r.answer)
		for _, ev := range r.events {
			ev.Send(env)
		}
		for _, fn := range r.after {
			fn(env)
		}
	})
}

// changed lets the watchers hear of what a client has changed.
func (h *Host) changed(tx *store.Tx, q *request, ch Change, r *result) error {
	if !h.Personal {
		return nil
	}
	ch.Config, ch.Time = q.cfg, q.at
	for _, w := range h.watchers[ch.Node] {
		after, err := w.Changed(tx, q.owner, ch)
		if err != nil {
			return err
		}
		if after != nil {
			r.after = append(r.after, after)
		}
	}
	return nil
}

// request is what all changes need to know, in memory of its own.
type request struct {
	owner string
	who   jid.JID
	node  string
	lim   Limits
	cfg   *config.Config
	at    time.Time
}

func (h *Host) request(c *feature.Ctx, q *stanza.Stanza, e xml.Elem) request {
	return request{c.Owner.Clone().String(), q.From.Clone(), string(e.Attr("node")), h.Limits(c.Config), c.Config, c.Now()}
}

// pubsub wraps what build builds into the element that answers have.
func pubsub(space string, build func(b *xml.Builder)) func(b *xml.Builder) {
	return func(b *xml.Builder) {
		b.Start("pubsub", space)
		build(b)
		b.End()
	}
}
