// Package private keeps what clients want kept for themselves (XEP-0049 1.2). Some
// of it is kept where newer clients look for it, and only shown here.
package private

import (
	"bytes"
	"errors"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const space = "jabber:iq:private"

// items has an account's elements by namespace and name, with a blank between.
var items = store.NewMap("private")

var (
	full = metric.NewCounter("meerkat_private_full_total",
		"Changes refused because of limits.private_bytes.")
	moved = metric.NewCounter("meerkat_private_moved_total",
		"Accounts whose private data was moved at a login to where other clients look for it.")
)

// Elsewhere is an element that another feature keeps, for clients that look for it
// in other places too.
type Elsewhere struct {
	Key string // namespace and name, with a blank between
	// Get returns it, nil if there is none.
	Get func(tx *store.Tx, owner string) []byte
	// Set puts v in its place in a transaction; with merge, as far as v does not
	// contradict what is there. stored, if not nil, runs on the owner's loop once
	// that is stored.
	Set func(tx *store.Tx, owner string, now time.Time, cfg *config.Config, v []byte, merge bool) (stored func(e *feature.Env), err error)
}

type feat struct{ elsewhere []Elsewhere }

// New returns the feature.
func New(elsewhere ...Elsewhere) feature.Feature {
	f := feat{elsewhere}
	return feature.Feature{
		Name:         "private",
		Spec:         "XEP-0049",
		Disco:        []string{space},
		AccountDisco: []string{space},
		IQ: []feature.IQ{
			feature.GetIQ(feature.Own, space, "query", f.get),
			feature.SetIQ(feature.Own, space, "query", f.set),
			{Space: space, Local: "query", To: feature.Other, Handle: forbidden},
		},
		Bound: f.bound,
	}
}

// find returns who keeps the element of that key, nil if we do.
func (f *feat) find(key string) *Elsewhere {
	for i := range f.elsewhere {
		if f.elsewhere[i].Key == key {
			return &f.elsewhere[i]
		}
	}
	return nil
}

// forbidden answers who asks for another's data (XEP-0049 §3).
func forbidden(c *feature.Ctx, q *stanza.Stanza) { c.Fail(q, stanza.Forbidden, "") }

func keyOf(e xml.Elem) string { return string(e.Space()) + " " + string(e.Local()) }

// get answers with what is stored under the name of the one child, or with that
// child, empty (XEP-0049 §2.3).
func (f *feat) get(c *feature.Ctx, q *stanza.Stanza) {
	e := q.Payload().First()
	if !e.OK() || e.Next().OK() || len(e.Space()) == 0 || string(e.Space()) == space {
		c.Fail(q, stanza.BadRequest, "")
		return
	}
	c.View(func(tx *store.Tx) {
		v := f.read(tx, c.Owner.String(), keyOf(e))
		if v == nil {
			v = e.AppendTo(nil, space)
		}
		c.Result(q, func(b *xml.Builder) { b.Start("query", space).Raw(v).End() })
	})
}

func (f *feat) read(tx *store.Tx, owner, key string) []byte {
	if o := f.find(key); o != nil {
		return o.Get(tx, owner)
	}
	return items.Get(tx, owner, key)
}

// entry is an element to be stored.
type entry struct {
	key   string
	value []byte
}

// entries returns the children of a query, and reports false if they cannot be
// stored.
func entries(query xml.Elem) (list []entry, ok bool) {
	for e := query.First(); e.OK(); e = e.Next() {
		if len(e.Space()) == 0 || string(e.Space()) == space {
			return nil, false
		}
		list = append(list, entry{keyOf(e), e.AppendTo(nil, space)})
	}
	return list, len(list) > 0
}

// set stores each child in the place of the one of its name (XEP-0049 §2.2).
func (f *feat) set(c *feature.Ctx, q *stanza.Stanza) {
	list, ok := entries(q.Payload())
	if !ok {
		c.Fail(q, stanza.NotAcceptable, "")
		return
	}
	w := writing{feat: f, owner: c.Owner.String(), now: c.Now(), cfg: c.Config}
	env, req := c.Env, c.Later(q)
	account := c.Owner
	env.Update(func(tx *store.Tx) error {
		if !env.Users.Exists(tx, account) { // removed meanwhile
			return stanza.ItemNotFound
		}
		return w.put(tx, list)
	}, func(err error) {
		if err == errFull {
			full.Add(env.Shard(), 1)
			err = stanza.ResourceConstraint
		}
		if err != nil {
			req.Error(err)
			return
		}
		req.Result(nil)
		w.tell(env)
	})
}

// errFull is a hit of limits.private_bytes.
var errFull = errors.New("private: full")

// writing is a change of an account's data.
type writing struct {
	*feat
	owner  string
	now    time.Time
	cfg    *config.Config
	stored []func(e *feature.Env)
}

func (w *writing) put(tx *store.Tx, list []entry) error {
	w.stored = nil
	for _, e := range list {
		if o := w.find(e.key); o != nil {
			if err := w.give(tx, o, e.value, false); err != nil {
				return err
			}
		} else if err := items.Put(tx, w.owner, e.key, e.value); err != nil {
			return err
		}
	}
	limit := int(w.cfg.Limits.PrivateBytes)
	if n, err := size(tx, w.owner); err != nil || limit <= 0 || n <= limit {
		return err
	}
	return errFull
}

// give hands v to who keeps it.
func (w *writing) give(tx *store.Tx, o *Elsewhere, v []byte, merge bool) error {
	stored, err := o.Set(tx, w.owner, w.now, w.cfg, v, merge)
	if stored != nil {
		w.stored = append(w.stored, stored)
	}
	return err
}

func (w *writing) tell(e *feature.Env) {
	for _, fn := range w.stored {
		fn(e)
	}
}

// bound moves what is kept elsewhere and still here: it was stored before that was
// so. The client has to wait until it can be found (XEP-0411 §4).
func (f *feat) bound(c *feature.Ctx) {
	left := false
	c.View(func(tx *store.Tx) {
		for i := range f.elsewhere {
			left = left || items.Get(tx, c.Owner.String(), f.elsewhere[i].Key) != nil
		}
	})
	if !left {
		return
	}
	w := writing{feat: f, owner: c.Owner.String(), now: c.Now(), cfg: c.Config}
	env, session := c.Env, c.Session
	session.Hold()
	env.Update(w.move, func(err error) {
		session.Release()
		if err != nil {
			env.Log.Warn("private data cannot be moved to where other clients look for it", "account", w.owner, "err", err)
			return
		}
		moved.Add(env.Shard(), 1)
		w.tell(env)
	})
}

func (w *writing) move(tx *store.Tx) error {
	w.stored = nil
	for i := range w.elsewhere {
		o := &w.elsewhere[i]
		v := bytes.Clone(items.Get(tx, w.owner, o.Key))
		if v == nil { // another session was faster
			continue
		}
		if err := w.give(tx, o, v, true); err != nil {
			return err
		}
		if err := items.Delete(tx, w.owner, o.Key); err != nil {
			return err
		}
	}
	return nil
}

func size(tx *store.Tx, owner string) (n int, err error) {
	err = items.Each(tx, owner, func(key string, v []byte) error { n += len(key) + len(v); return nil })
	return n, err
}
