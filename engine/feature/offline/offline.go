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

	// Unwanted, if not nil, returns what tells stored messages that a session does not
	// want any more, or nil if it wants all.
	Unwanted func(e *feature.Env, s *account.Session) func(b []byte) bool
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
		Thaw:        func(c *feature.Ctx, _ []byte) { f.presence(c, &stanza.Stanza{}) },
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
	f.store(c.Env, c.Owner.Clone(), message{delayed: delayed(c, s), req: c.Later(s)})
	return feature.Done
}

// Spool is a stage before delivery: while stored messages are being given to a
// session, new ones for it wait behind them, so that all come in order. The
// account's other resources need not wait.
func (f *Feature) Spool(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	d := f.drains[c.Shard()][c.Owner.String()]
	if d == nil || d.live || s.To.IsFull() && s.To != d.session.JID || judge(s) != lasting {
		return feature.Continue
	}
	d.hold(message{s.Append(nil), delayed(c, s), c.Later(s)})
	if !s.To.IsFull() {
		toOthers(c, s, d.session)
	}
	return feature.Done
}

// message is one that can be stored, or given as it is.
type message struct {
	plain   []byte
	delayed []byte // with the time of its coming
	req     *feature.Request
}

// delayed returns s with a delay element behind what the server says in it. What
// comes again has one.
func delayed(c *feature.Ctx, s *stanza.Stanza) []byte {
	if s.Again {
		return s.Append(nil)
	}
	d := *s
	d.Tail = append(d.Tail[:len(d.Tail):len(d.Tail)], stamp(c.Owner.Domain(), c.Now())...)
	return d.Append(nil)
}

func (f *Feature) store(env *feature.Env, owner jid.JID, m message) {
	b, req := m.delayed, m.req
	limits := &env.Config.Limits
	entries, bytes := limits.OfflineMessages, int64(limits.OfflineBytes)
	once := env.Once()
	env.Update(func(tx *store.Tx) error {
		if !env.Users.Exists(tx, owner) {
			return stanza.ServiceUnavailable
		}
		if entries > 0 && log.Len(tx, owner.String()) >= entries ||
			bytes > 0 && log.Bytes(tx, owner.String())+int64(len(b)) > bytes {
			return store.ErrFull
		}
		if _, err := log.Append(tx, owner.String(), b); err != nil {
			return err
		}
		return once(tx)
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
	case !takes(c.Session):
		c.Session.Clear(f.drained)
	case !c.Session.Has(f.drained):
		c.Session.Set(f.drained)
		f.start(c.Env, c.Owner, c.Session)
	}
	return feature.Continue
}
