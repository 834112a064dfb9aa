// Package vcard keeps and shows people's cards (XEP-0054 1.3.0).
package vcard

import (
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const space = "vcard-temp"

// cards has each account's card as the element to send.
var cards = store.NewDoc("vcard")

var (
	gets = metric.NewCounter("meerkat_vcard_gets_total", "Cards asked for.")
	sets = metric.NewCounter("meerkat_vcard_sets_total", "Cards stored.")
	big  = metric.NewCounter("meerkat_vcard_refused_total",
		"Cards refused because of limits.vcard_bytes.")
)

// New returns the feature.
func New() feature.Feature {
	return feature.Feature{
		Name:         "vcard",
		Spec:         "XEP-0054",
		Disco:        []string{space},
		AccountDisco: []string{space},
		IQ: []feature.IQ{
			feature.GetIQ(feature.Own, space, "vCard", own),
			feature.GetIQ(feature.Other, space, "vCard", other),
			feature.SetIQ(feature.Own, space, "vCard", set),
			feature.SetIQ(feature.Other, space, "vCard", forbidden),
		},
	}
}

// own shows the user's card, an empty one if there is none (XEP-0054 §3.1).
func own(c *feature.Ctx, q *stanza.Stanza) {
	if !show(c, q) {
		c.Result(q, func(b *xml.Builder) { b.Start("vCard", space).End() })
	}
}

// other shows somebody else's. An account without a card looks like one that
// does not exist (XEP-0054 §3.3).
func other(c *feature.Ctx, q *stanza.Stanza) {
	if !show(c, q) {
		c.Fail(q, stanza.ServiceUnavailable, "")
	}
}

func show(c *feature.Ctx, q *stanza.Stanza) (found bool) {
	gets.Add(c.Shard(), 1)
	c.View(func(tx *store.Tx) {
		v := cards.Get(tx, c.Owner.String())
		if found = v != nil; found {
			c.Result(q, func(b *xml.Builder) { b.Raw(v) })
		}
	})
	return found
}

// forbidden answers who would change another's card (XEP-0054 §3.2).
func forbidden(c *feature.Ctx, q *stanza.Stanza) { c.Fail(q, stanza.Forbidden, "") }

// set stores the card whole (XEP-0054 §3.2).
func set(c *feature.Ctx, q *stanza.Stanza) {
	v := q.Payload().AppendTo(nil, stanza.Client)
	if limit := int(c.Config.Limits.VCardBytes); limit > 0 && len(v) > limit {
		big.Add(c.Shard(), 1)
		c.Fail(q, stanza.ResourceConstraint, "")
		return
	}
	env, owner, req := c.Env, c.Owner.String(), c.Later(q)
	env.Update(func(tx *store.Tx) error { return cards.Put(tx, owner, v) }, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		sets.Add(env.Shard(), 1)
		req.Result(nil)
	})
}
