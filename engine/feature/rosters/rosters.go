// Package rosters answers roster requests (RFC 6121 §2).
package rosters

import (
	"slices"
	"strconv"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// maxName bounds names of contacts and groups, in octets; maxGroups the groups
// of one contact. RFC 6121 §2.3.3 leaves both to the server.
const (
	maxName   = 1023
	maxGroups = 100
)

var (
	gets = metric.NewCounter("meerkat_roster_gets_total", "Rosters asked for.")
	same = metric.NewCounter("meerkat_roster_unchanged_total", "Of those, the ones the client had already (roster versioning).")
	sets = metric.NewCounter("meerkat_roster_sets_total", "Roster items set or removed by clients.")
)

// New returns the feature.
func New() feature.Feature {
	return feature.Feature{
		Name: "roster",
		Spec: "RFC 6121 §2",
		IQ: []feature.IQ{
			feature.GetIQ(feature.Own, roster.Space, "query", get),
			feature.SetIQ(feature.Own, roster.Space, "query", set),
			{Space: roster.Space, Local: "query", To: feature.Other, Handle: forbidden},
		},
		Stream:  []feature.StreamFeature{{Bound: true, Append: versioning}},
		Removed: removed,
	}
}

// versioning offers roster versioning (RFC 6121 §2.6.1) and pre-approval (§3.4).
func versioning(_ *feature.Ctx, b *xml.Builder, _ string) {
	b.Start("ver", "urn:xmpp:features:rosterver").End()
	b.Start("sub", "urn:xmpp:features:pre-approval").End()
}

// get sends the roster, or nothing if the client's version is that of now
// (RFC 6121 §2.2, §2.6.2). From then on the session gets pushes.
func get(c *feature.Ctx, q *stanza.Stanza) {
	gets.Add(c.Shard(), 1)
	c.Session.Interested = true
	theirs := q.Payload().Attr("ver")
	c.View(func(tx *store.Tx) {
		v := roster.Load(tx, c.Owner.String())
		ver := strconv.FormatUint(v.Version(), 10)
		if string(theirs) == ver {
			same.Add(c.Shard(), 1)
			c.Result(q, nil)
			return
		}
		c.Result(q, func(b *xml.Builder) {
			b.Start("query", roster.Space)
			if theirs != nil {
				b.Attr("ver", ver)
			}
			for it := range v.All() {
				if it.State&roster.Listed != 0 {
					it.Append(b)
				}
			}
			b.End()
		})
	})
}

// forbidden refuses to show or change another's roster (RFC 6121 §2.3.3).
func forbidden(c *feature.Ctx, q *stanza.Stanza) { c.Fail(q, stanza.Forbidden, "") }

// item is what a roster set asks for.
type item struct {
	jid    jid.JID
	name   string
	groups []string
	remove bool
}

// set adds, changes or removes one contact (RFC 6121 §2.3-§2.5). The result
// goes out once it is stored; pushes before it.
func set(c *feature.Ctx, q *stanza.Stanza) {
	it, cond := read(q.Payload())
	if cond == stanza.OK && it.jid == c.Owner {
		cond = stanza.NotAllowed // nobody is their own contact
	}
	if cond != stanza.OK {
		c.Fail(q, cond, "")
		return
	}
	sets.Add(c.Shard(), 1)
	env, owner, req := c.Env, c.Owner, c.Later(q)
	limit := env.Config.Limits.RosterItems
	var ch roster.Change
	env.Update(func(tx *store.Tx) (err error) {
		if !env.Users.Exists(tx, owner) { // removed meanwhile
			return stanza.NotAllowed
		}
		if it.remove {
			ch, err = roster.Remove(tx, owner.String(), it.jid.String())
			return err
		}
		ch, err = roster.Set(tx, owner.String(), it.jid.String(), it.name, it.groups, limit)
		return err
	}, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		roster.Push(env, owner.String(), ch)
		req.Result(nil)
		if it.remove {
			part(env, owner, it.jid, ch.Before)
		}
	})
}

// read judges a roster set's payload by RFC 6121 §2.3.3.
func read(query xml.Elem) (it item, c stanza.Condition) {
	e := query.First()
	if !e.Is("item", roster.Space) || e.Next().OK() || e.Attr("jid") == nil {
		return it, stanza.BadRequest
	}
	j, err := jid.Parse(string(e.Attr("jid")))
	if err != nil {
		return it, stanza.JIDMalformed
	}
	it.jid = j.Bare()
	it.name = string(e.Attr("name"))
	it.remove = string(e.Attr("subscription")) == "remove"
	if len(it.name) > maxName {
		return it, stanza.NotAcceptable
	}
	for g := e.First(); g.OK(); g = g.Next() {
		if !g.Is("group", roster.Space) {
			continue
		}
		name := string(g.Text())
		if name == "" || len(name) > maxName || len(it.groups) == maxGroups {
			return it, stanza.NotAcceptable
		}
		if slices.Contains(it.groups, name) {
			return it, stanza.BadRequest
		}
		it.groups = append(it.groups, name)
	}
	return it, stanza.OK
}

// part tells a removed contact that all is over (RFC 6121 §2.5.2), by the state
// the two were in. Who saw our resources sees them go.
func part(e *feature.Env, owner, contact jid.JID, was roster.State) {
	if was&(roster.To|roster.Ask) != 0 {
		send(e, owner, contact, stanza.Unsubscribe)
	}
	if was&(roster.From|roster.In) != 0 {
		send(e, owner, contact, stanza.Unsubscribed)
	}
	a := e.Accounts.Get(owner.String())
	if a == nil || was&roster.From == 0 {
		return
	}
	for _, s := range a.Sessions {
		if s.Available() {
			send(e, s.JID, contact, stanza.Unavailable)
		}
	}
}

func send(e *feature.Env, from, to jid.JID, t stanza.Type) {
	if !e.Router.Local(to.Domain()) {
		return
	}
	var b xml.Builder
	b.Reset(e.Scratch(), stanza.Client)
	out := b.Start("presence", "").Attr("type", t.String()).
		Attr("from", from.String()).Attr("to", to.String()).End().Bytes()
	e.Router.Send(to, out)
	e.Keep(out)
}

// removed tells the contacts of a removed account that all is over
// (XEP-0077 §3.2 leaves it to the server; a ghost in a roster helps nobody).
func removed(c *feature.Ctx) func() {
	env, owner := c.Env, c.Owner.Clone()
	var items []roster.Contact
	c.View(func(tx *store.Tx) {
		for it := range roster.Load(tx, owner.String()).All() {
			items = append(items, it.Clone())
		}
	})
	return func() {
		for _, it := range items {
			if contact, err := jid.Parse(it.JID); err == nil {
				part(env, owner, contact, it.State)
			}
		}
	}
}
