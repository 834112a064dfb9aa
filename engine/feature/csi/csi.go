// Package csi spares phones in pockets: while a client says that nobody looks
// (XEP-0352 1.0.0), what can wait is held back, the latest of a kind only, and
// comes right before the next thing that cannot.
package csi

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/xml"
)

const space = "urn:xmpp:csi:0"

var (
	inactive = metric.NewCounter("meerkat_csi_inactive_total",
		"Times that a client said it is inactive.")
	held = metric.NewCounter("meerkat_csi_held_total",
		"Stanzas held back for inactive clients.")
	saved = metric.NewCounter("meerkat_csi_saved_total",
		"Of those, the ones never sent, because a later one took their place.")
	limited = metric.NewCounter("meerkat_csi_limited_total",
		"Times that held stanzas went out because of limits.inactive_bytes.")
	wakes = metric.NewCounter("meerkat_csi_wakes_total",
		"Times that held stanzas went out: at most so many packets instead of meerkat_csi_held_total.")
)

// feat is the feature. missed hears of what goes out to inactive clients at once.
type feat struct {
	missed func(e *feature.Env, s *account.Session, b []byte)
}

// New returns the feature. missed hears of stanzas for inactive clients that are
// not held back.
func New(missed func(e *feature.Env, s *account.Session, b []byte)) feature.Feature {
	f := feat{missed}
	return feature.Feature{
		Name:  "csi",
		Spec:  "XEP-0352",
		Nonza: []feature.Nonza{{Space: space, Handle: f.handle}},
		Inline: &feature.Inline{Space: space, Handle: func(c *feature.Ctx, e xml.Elem, done func([]byte)) {
			f.handle(c, e)
			done(nil)
		}},
		Stream: []feature.StreamFeature{{Bound: true, Append: func(_ *feature.Ctx, b *xml.Builder, _ string) {
			b.Start("csi", space).End()
		}}},
	}
}

// handle takes <active/> and <inactive/>; anything else says nothing.
func (f feat) handle(c *feature.Ctx, e xml.Elem) {
	switch string(e.Local()) {
	case "inactive":
		f.rest(c)
	case "active":
		Wake(c.Session)
	}
}

func (f feat) rest(c *feature.Ctx) {
	if find(c.Session) != nil {
		return
	}
	inactive.Add(c.Shard(), 1)
	c.Session.Sink = &holder{f: f, inner: c.Session.Sink, env: c.Env, of: c.Session}
}

// Inactive reports whether the session's client says that nobody looks.
func Inactive(s *account.Session) bool { return find(s) != nil }

// find returns the session's holder, nil if it is active.
func find(s *account.Session) *holder {
	for sink := s.Sink; ; {
		w, ok := sink.(account.Wrapper)
		if !ok {
			return nil
		}
		if h, ok := w.(*holder); ok {
			return h
		}
		sink = w.Inner()
	}
}

// Wake sends what is held, and holds nothing more.
func Wake(s *account.Session) {
	h := find(s)
	if h == nil {
		return
	}
	h.release()
	if s.Sink == account.Sink(h) {
		s.Sink = h.inner
		return
	}
	for w := s.Sink.(account.Wrapper); ; w = w.Inner().(account.Wrapper) {
		if w.Inner() == account.Sink(h) {
			w.SetInner(h.inner)
			return
		}
	}
}
