// Package last says how long somebody has been away (XEP-0012 2.0).
package last

import (
	"encoding/binary"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const space = "jabber:iq:last"

// seen has, for each account, when its last resource went away: seconds since
// 1970 (8 bytes, big endian), and the status it left with.
var seen = store.NewDoc("last")

type feat struct {
	started time.Time
}

// New returns the feature. started is when the server was.
func New(started time.Time) feature.Feature {
	f := feat{started: started}
	return feature.Feature{
		Name:         "last",
		Spec:         "XEP-0012",
		Disco:        []string{space},
		AccountDisco: []string{space},
		IQ: []feature.IQ{
			feature.GetIQ(feature.Server, space, "query", f.uptime),
			feature.GetIQ(feature.Own, space, "query", f.own),
			feature.GetIQ(feature.Other, space, "query", f.other),
		},
		PresenceOut: f.leave,
		Unbound:     f.unbound,
	}
}

// uptime is the server's (XEP-0012 §5). A request to no address in particular
// is one to the own account.
func (f feat) uptime(c *feature.Ctx, q *stanza.Stanza) {
	answer(c, q, int64(c.Now().Sub(f.started)/time.Second), "")
}

func (f feat) own(c *feature.Ctx, q *stanza.Stanza) { answer(c, q, 0, "") }

// other tells subscribers only (XEP-0012 §4, RFC 6121 §4.3's permission).
func (f feat) other(c *feature.Ctx, q *stanza.Stanza) {
	var allowed bool
	var at int64
	var status string
	c.View(func(tx *store.Tx) {
		it, ok := roster.Load(tx, c.Owner.String()).Find(q.From.BareString())
		allowed = ok && it.State&roster.From != 0
		if v := seen.Get(tx, c.Owner.String()); len(v) >= 8 {
			at, status = int64(binary.BigEndian.Uint64(v)), string(v[8:])
		}
	})
	switch {
	case !allowed:
		c.Fail(q, stanza.Forbidden, "")
	case c.Account != nil && c.Account.Present():
		answer(c, q, 0, "")
	case at == 0:
		c.Fail(q, stanza.ItemNotFound, "")
	default:
		answer(c, q, c.Now().Unix()-at, status)
	}
}

func answer(c *feature.Ctx, q *stanza.Stanza, seconds int64, status string) {
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", space).AttrInt("seconds", max(0, seconds)).Text(status).End()
	})
}

// leave is a stage behind the broadcast: the session said unavailable.
func (f feat) leave(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if s.Type == stanza.Unavailable && s.To.IsZero() {
		note(c.Env, c.Owner, c.Account, string(s.Elem.Child("status", stanza.Client).Text()))
	}
	return feature.Continue
}

func (f feat) unbound(c *feature.Ctx) {
	if len(c.Account.Sessions) == 0 {
		note(c.Env, c.Owner, c.Account, "")
	}
}

// note stores that the account's last resource is away now. Nobody waits for
// it: losing it in a crash is no harm.
func note(e *feature.Env, owner jid.JID, a *account.Account, status string) {
	if a.Present() {
		return
	}
	v := binary.BigEndian.AppendUint64(nil, uint64(e.Now().Unix()))
	v = append(v, status...)
	e.Update(func(tx *store.Tx) error {
		if !e.Users.Exists(tx, owner) {
			return nil
		}
		return seen.Put(tx, owner.String(), v)
	}, func(err error) {
		if err != nil {
			e.Log.Warn("the time of a logout could not be stored", "account", owner.String(), "err", err)
		}
	})
}
