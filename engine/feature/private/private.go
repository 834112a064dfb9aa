// Package private keeps what clients want kept for themselves (XEP-0049 1.2).
package private

import (
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const space = "jabber:iq:private"

// items has an account's elements by namespace and name, with a blank between.
var items = store.NewMap("private")

var full = metric.NewCounter("meerkat_private_full_total",
	"Changes refused because of limits.private_bytes.")

// New returns the feature.
func New() feature.Feature {
	return feature.Feature{
		Name:         "private",
		Spec:         "XEP-0049",
		Disco:        []string{space},
		AccountDisco: []string{space},
		IQ: []feature.IQ{
			feature.GetIQ(feature.Own, space, "query", get),
			feature.SetIQ(feature.Own, space, "query", set),
			{Space: space, Local: "query", To: feature.Other, Handle: forbidden},
		},
	}
}

// forbidden answers who asks for another's data (XEP-0049 §3).
func forbidden(c *feature.Ctx, q *stanza.Stanza) { c.Fail(q, stanza.Forbidden, "") }

func keyOf(e xml.Elem) string { return string(e.Space()) + " " + string(e.Local()) }

// get answers with what is stored under the name of the one child, or with that
// child, empty (XEP-0049 §2.3).
func get(c *feature.Ctx, q *stanza.Stanza) {
	e := q.Payload().First()
	if !e.OK() || e.Next().OK() || len(e.Space()) == 0 || string(e.Space()) == space {
		c.Fail(q, stanza.BadRequest, "")
		return
	}
	c.View(func(tx *store.Tx) {
		v := items.Get(tx, c.Owner.String(), keyOf(e))
		if v == nil {
			v = e.AppendTo(nil, space)
		}
		c.Result(q, func(b *xml.Builder) { b.Start("query", space).Raw(v).End() })
	})
}

// set stores each child in the place of the one of its name (XEP-0049 §2.2).
func set(c *feature.Ctx, q *stanza.Stanza) {
	type entry struct {
		key   string
		value []byte
	}
	var entries []entry
	for e := q.Payload().First(); e.OK(); e = e.Next() {
		if len(e.Space()) == 0 || string(e.Space()) == space {
			c.Fail(q, stanza.NotAcceptable, "")
			return
		}
		entries = append(entries, entry{keyOf(e), e.AppendTo(nil, space)})
	}
	if len(entries) == 0 {
		c.Fail(q, stanza.NotAcceptable, "")
		return
	}
	env, owner, req := c.Env, c.Owner.String(), c.Later(q)
	limit := int(env.Config.Limits.PrivateBytes)
	env.Update(func(tx *store.Tx) error {
		for _, e := range entries {
			if err := items.Put(tx, owner, e.key, e.value); err != nil {
				return err
			}
		}
		if n, err := size(tx, owner); err != nil || limit <= 0 || n <= limit {
			return err
		}
		return stanza.ResourceConstraint
	}, func(err error) {
		if err == stanza.ResourceConstraint {
			full.Add(env.Shard(), 1)
		}
		if err != nil {
			req.Error(err)
			return
		}
		req.Result(nil)
	})
}

func size(tx *store.Tx, owner string) (n int, err error) {
	err = items.Each(tx, owner, func(key string, v []byte) error { n += len(key) + len(v); return nil })
	return n, err
}
