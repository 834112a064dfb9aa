// Package offline keeps messages for those who are not there (XEP-0160).
package offline

import (
	"errors"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// log has each account's messages, with their delay stamps, as they will be
// delivered. How many it takes is in the options.
var log = store.NewLog("offline", store.LogLimit{})

// chunk is how many bytes of messages go to a session before the next are read:
// the client's own speed sets the pace.
const chunk = 128 << 10

var (
	kept = metric.NewCounter("meerkat_offline_stored_total",
		"Messages stored for absent users.")
	given = metric.NewCounter("meerkat_offline_delivered_total",
		"Stored messages written to sessions.")
	full = metric.NewCounter("meerkat_offline_full_total",
		"Messages refused because the recipient's store is full (limits.offline_messages, limits.offline_bytes).")
)

// Feature is offline storage: two stages that belong together.
type Feature struct {
	drained account.Flag // has been given, or is being given, what was stored
	drains  []map[string]*drain
}

// New returns the feature. loops is how many loops there are.
func New(flags *account.Flags, loops int) (feature.Feature, *Feature) {
	f := &Feature{drained: flags.New("offline"), drains: make([]map[string]*drain, loops)}
	for i := range f.drains {
		f.drains[i] = make(map[string]*drain)
	}
	return feature.Feature{
		Name:        "offline",
		Spec:        "XEP-0160",
		Disco:       []string{"msgoffline"},
		PresenceOut: f.presence,
		Inbound:     f.Keep,
		Unbound:     f.unbound,
	}, f
}

// Keep stores a message that nobody was there for, and answers
// service-unavailable if it is not of a kind that is kept, or there is no such
// account (RFC 6121 §8.5.1, §8.5.2.2). It is a stage behind delivery.
func (f *Feature) Keep(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	switch judge(s) {
	case worthless:
		return feature.Done
	case transient:
		c.Fail(s, stanza.ServiceUnavailable, "")
		return feature.Done
	}
	f.store(c, s)
	return feature.Done
}

// Spool is a stage before delivery: while stored messages are being given to a
// session, new ones queue up behind them, so that all come in order.
func (f *Feature) Spool(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	d := f.drains[c.Shard()][c.Owner.String()]
	if d == nil || s.To.IsFull() && s.To != d.session.JID || judge(s) != lasting {
		return feature.Continue
	}
	f.store(c, s)
	d.behind = c.Issued()
	return feature.Done
}

func (f *Feature) store(c *feature.Ctx, s *stanza.Stanza) {
	delayed := *s
	delayed.Tail = append(delayed.Tail[:len(delayed.Tail):len(delayed.Tail)], stamp(c.Owner.Domain(), c.Now())...)
	b := delayed.Append(nil)
	env, owner := c.Env, c.Owner.Clone()
	req := c.Later(s)
	limits := &env.Config.Limits
	entries, bytes := limits.OfflineMessages, int64(limits.OfflineBytes)
	env.Update(func(tx *store.Tx) error {
		if !env.Users.Exists(tx, owner) {
			return stanza.ServiceUnavailable
		}
		if entries > 0 && log.Len(tx, owner.String()) >= entries ||
			bytes > 0 && log.Bytes(tx, owner.String())+int64(len(b)) > bytes {
			return store.ErrFull
		}
		_, err := log.Append(tx, owner.String(), b)
		return err
	}, func(err error) {
		if err == nil {
			kept.Add(env.Shard(), 1)
			req.Drop()
			return
		}
		if errors.Is(err, store.ErrFull) {
			full.Add(env.Shard(), 1)
		}
		req.Error(err)
	})
}

// stamp returns the delay element (XEP-0203) for a message of now.
func stamp(domain string, now time.Time) []byte {
	var b xml.Builder
	b.Reset(nil, stanza.Client)
	return b.Start("delay", "urn:xmpp:delay").Attr("from", domain).
		Attr("stamp", now.UTC().Format("2006-01-02T15:04:05.000Z")).End().Bytes()
}

// presence gives a session what was stored once it takes messages: available,
// priority not negative (XEP-0160 §2). It is a stage behind the broadcast.
func (f *Feature) presence(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if !s.To.IsZero() {
		return feature.Continue
	}
	switch {
	case !c.Session.Available() || c.Session.Priority < 0:
		c.Session.Clear(f.drained)
	case !c.Session.Has(f.drained):
		c.Session.Set(f.drained)
		f.start(c.Env, c.Owner, c.Session)
	}
	return feature.Continue
}

// drain is the giving of one account's stored messages to one session.
type drain struct {
	f       *Feature
	env     *feature.Env
	owner   jid.JID
	session *account.Session
	last    uint64 // id of the last message given
	behind  uint64 // updates issued when the latest message queued up behind
}

func (f *Feature) start(e *feature.Env, owner jid.JID, s *account.Session) {
	if f.drains[e.Shard()][owner.String()] != nil {
		return
	}
	d := &drain{f: f, env: e, owner: owner, session: s}
	f.drains[e.Shard()][owner.String()] = d
	d.next()
}

// next gives one chunk, once all that this loop has queued for storing by now is
// there. With nothing left the drain is over, unless a message has queued up
// meanwhile that may not be there yet.
func (d *drain) next() {
	there := d.env.Issued()
	d.env.WhenSettled(func() {
		switch {
		case d.f.drains[d.env.Shard()][d.owner.String()] != d:
		case d.give() > 0:
			d.session.Sink.Sent(d.sent)
		case d.behind > there:
			d.next()
		default:
			d.end()
		}
	})
}

func (d *drain) give() (n int) {
	size := 0
	d.env.View(func(tx *store.Tx) {
		err := log.Each(tx, d.owner.String(), d.last, func(id uint64, v []byte) error {
			if size >= chunk {
				return store.ErrStop
			}
			d.session.Sink.Write(v)
			d.last = id
			size += len(v)
			n++
			return nil
		})
		if err != nil {
			d.env.Log.Error("stored messages cannot be read", "account", d.owner.String(), "err", err)
		}
	})
	given.Add(d.env.Shard(), uint64(n))
	return n
}

// sent forgets what the session has been given. A message whose way to the
// client is not certain stays: it comes again rather than never.
func (d *drain) sent(ok bool) {
	if !ok {
		d.end()
		return
	}
	last := d.last
	d.env.Update(func(tx *store.Tx) error {
		return log.DeleteUpTo(tx, d.owner.String(), last)
	}, func(err error) {
		if err != nil {
			d.env.Log.Warn("delivered messages stay stored and will come twice", "account", d.owner.String(), "err", err)
		}
	})
	d.next()
}

func (d *drain) end() {
	if d.f.drains[d.env.Shard()][d.owner.String()] == d {
		delete(d.f.drains[d.env.Shard()], d.owner.String())
	}
}

// unbound ends the drain of a session that is gone; another session that takes
// messages goes on with it.
func (f *Feature) unbound(c *feature.Ctx) {
	d := f.drains[c.Shard()][c.Owner.String()]
	if d == nil || d.session != c.Session {
		return
	}
	d.end()
	for _, s := range c.Account.Sessions {
		if s.Available() && s.Priority >= 0 {
			f.start(c.Env, c.Owner, s)
			return
		}
	}
}
