// Package blocking keeps people apart: the blocking command (XEP-0191 1.3) and
// privacy lists (XEP-0016 1.7) over one store. Who uses neither pays nothing.
package blocking

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	space        = "urn:xmpp:blocking"
	privacySpace = "jabber:iq:privacy"
)

var (
	refusedIn = metric.NewCounter("meerkat_blocking_refused_in_total",
		"Stanzas that a recipient's list refused.")
	refusedOut = metric.NewCounter("meerkat_blocking_refused_out_total",
		"Stanzas to somebody whom the sender's list refuses.")
	limited = metric.NewCounter("meerkat_blocking_limited_total",
		"Changes refused because of limits.blocklist.")
)

// Feature is blocking: requests, and filters for all stanzas.
type Feature struct {
	lists  account.Slot[lists]  // of accounts that have any, while they have sessions
	active account.Slot[string] // of sessions: name of the active list, "" declines any
	wants  account.Flag         // the session has asked for the blocklist
	lister account.Flag         // the session has asked for privacy lists
	report Reports
}

// Reports reads what a <block/> says of those who are blocked (XEP-0377). What it
// returns, if not nil, is called when the block is stored.
type Reports func(c *feature.Ctx, block xml.Elem) (blocked func(), cond stanza.Condition)

// New returns the feature.
func New(flags *account.Flags, reports Reports) (feature.Feature, *Feature) {
	f := &Feature{
		lists:  account.NewSlot[lists](flags),
		active: account.NewSlot[string](flags),
		wants:  flags.New("blocking"),
		lister: flags.New("privacy"),
		report: reports,
	}
	return feature.Feature{
		Name:  "blocking",
		Spec:  "XEP-0191, XEP-0016",
		Disco: []string{space, privacySpace},
		IQ: []feature.IQ{
			feature.GetIQ(feature.Own, space, "blocklist", f.show),
			feature.SetIQ(feature.Own, space, "block", f.block),
			feature.SetIQ(feature.Own, space, "unblock", f.unblock),
			feature.GetIQ(feature.Own, privacySpace, "query", f.get),
			feature.SetIQ(feature.Own, privacySpace, "query", f.set),
		},
		Bound:  f.bound,
		Freeze: f.freeze,
		Thaw:   f.thaw,
	}, f
}

// bound loads the lists with the account's first session.
func (f *Feature) bound(c *feature.Ctx) {
	if len(c.Account.Sessions) == 1 {
		f.put(c.Account, loadLogged(c.Env, c.Owner.String()))
	}
	if hasActive(c.Account, f) {
		c.Session.Refuses = f.refuses(c.Env, c.Session)
	}
}

// show answers with the blocklist; from then on the session hears of changes.
func (f *Feature) show(c *feature.Ctx, q *stanza.Stanza) {
	c.Session.Set(f.wants)
	jids := f.lists.Of(c.Account.Slots).blocked()
	c.Result(q, func(b *xml.Builder) { appendItems(b, "blocklist", jids) })
}

func appendItems(b *xml.Builder, local string, jids []string) {
	b.Start(local, space)
	for _, j := range jids {
		b.Start("item", "").Attr("jid", j).End()
	}
	b.End()
}

// targets reads the items of a command, each address once.
func targets(e xml.Elem) (jids []string, c stanza.Condition) {
	seen := map[string]bool{}
	for it := e.First(); it.OK(); it = it.Next() {
		if !it.Is("item", space) || it.Attr("jid") == nil {
			return nil, stanza.BadRequest
		}
		j, err := jid.Parse(string(it.Attr("jid")))
		if err != nil {
			return nil, stanza.JIDMalformed
		}
		if name := j.String(); !seen[name] {
			seen[name] = true
			jids = append(jids, name)
		}
	}
	return jids, stanza.OK
}

func (f *Feature) block(c *feature.Ctx, q *stanza.Stanza) {
	jids, cond := targets(q.Payload())
	if cond == stanza.OK && len(jids) == 0 {
		cond = stanza.BadRequest
	}
	limit := c.Config.Limits.Blocklist
	if cond == stanza.OK && limit > 0 && len(jids) > limit {
		limited.Add(c.Shard(), 1)
		cond = stanza.ResourceConstraint
	}
	var blocked func()
	if cond == stanza.OK {
		blocked, cond = f.report(c, q.Payload())
	}
	if cond != stanza.OK {
		c.Fail(q, cond, "")
		return
	}
	f.change(c, q, "block", func(l *lists) error {
		l.block(jids)
		if limit > 0 && len(l.fallback().Items) > limit {
			limited.Add(metric.OffLoop, 1)
			return stanza.ResourceConstraint
		}
		return nil
	}, blocked)
}

func (f *Feature) unblock(c *feature.Ctx, q *stanza.Stanza) {
	jids, cond := targets(q.Payload())
	if cond != stanza.OK {
		c.Fail(q, cond, "")
		return
	}
	f.change(c, q, "unblock", func(l *lists) error { l.unblock(jids); return nil }, nil)
}

// change stores what apply does to the lists, then tells everybody: resources by
// a push (XEP-0191 §3.3, §3.4), contacts by presence.
func (f *Feature) change(c *feature.Ctx, q *stanza.Stanza, what string, apply func(*lists) error, then func()) {
	env, owner, a, req := c.Env, c.Owner, c.Account, c.Later(q)
	var l *lists
	asked, _ := targets(q.Payload())
	env.Update(func(tx *store.Tx) (err error) {
		if l, err = edit(tx, owner.String()); err != nil {
			return err
		}
		if err = apply(l); err != nil {
			return err
		}
		return l.save(tx, owner.String())
	}, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		before := f.inForce(a)
		f.keep(a, l)
		req.Result(nil)
		f.push(env, a, what, asked)
		f.pushList(env, a, l.Default, false)
		f.announce(env, a, before)
		if then != nil {
			then()
		}
	})
}

// keep makes l what the account's filters look at. An active list that is no more is
// not active either.
func (f *Feature) keep(a *account.Account, l *lists) {
	for _, s := range a.Sessions {
		if name := f.active.Of(s.Slots); name != nil && *name != "" && l.find(*name) == nil {
			f.active.Put(&s.Slots, nil)
		}
	}
	if len(l.Lists) == 0 {
		l = nil
	}
	f.put(a, l)
}

// put has a know its lists; nil are none.
func (f *Feature) put(a *account.Account, l *lists) {
	f.lists.Put(&a.Slots, l)
	a.Choosy = l != nil
}

// push tells the sessions that have asked for the blocklist; no items at all say
// that everybody is unblocked.
func (f *Feature) push(e *feature.Env, a *account.Account, what string, jids []string) {
	for _, s := range a.Sessions {
		if s.Has(f.wants) {
			pushIQ(e, s, func(b *xml.Builder) { appendItems(b, what, jids) })
		}
	}
}

func pushIQ(e *feature.Env, s *account.Session, payload func(b *xml.Builder)) {
	var b xml.Builder
	b.Reset(e.Scratch(), stanza.Client)
	b.Start("iq", "").Attr("type", "set").Attr("id", "push").Attr("to", s.JID.String())
	payload(&b)
	out := b.End().Bytes()
	s.Sink.Write(out)
	e.Keep(out)
}
