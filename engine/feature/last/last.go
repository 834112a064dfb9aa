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

// maxStatus is the longest status that is kept, in bytes.
const maxStatus = 1 << 10

// seen has, for each account, when its last resource went away: seconds since
// 1970 (8 bytes, big endian), and the status it left with.
var seen = store.NewDoc("last")

type feat struct {
	started time.Time
	noted   account.Flag // the session has said goodbye, and that is stored
}

// New returns the feature. started is when the server was.
func New(flags *account.Flags, started time.Time) feature.Feature {
	f := feat{started, flags.New("last")}
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
		PresenceOut: f.presence,
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
	allowed := mayKnow(c, q.From)
	var at int64
	var status string
	c.View(func(tx *store.Tx) {
		if v := seen.Get(tx, c.Owner.String()); len(v) >= 8 {
			at, status = int64(binary.BigEndian.Uint64(v)), string(v[8:])
		}
	})
	switch {
	case !allowed:
		c.Fail(q, stanza.Forbidden, "")
	case c.Account != nil: // connected is enough
		answer(c, q, 0, "")
	case at == 0:
		c.Fail(q, stanza.ItemNotFound, "")
	default:
		answer(c, q, c.Now().Unix()-at, status)
	}
}

// Seen returns when the last resource of owner went away, in seconds since 1970;
// 0 is never.
func Seen(tx *store.Tx, owner string) int64 {
	if v := seen.Get(tx, owner); len(v) >= 8 {
		return int64(binary.BigEndian.Uint64(v))
	}
	return 0
}

// Guard is a stage for what reaches an account: a request to one of its
// resources is answered by the client, but only subscribers may ask it
// (XEP-0012 §4).
func Guard(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if s.Kind != stanza.IQ || s.Type != stanza.Get || !s.To.IsFull() ||
		!s.Payload().Is("query", space) || mayKnow(c, s.From) {
		return feature.Continue
	}
	c.Fail(s, stanza.Forbidden, "")
	return feature.Done
}

func mayKnow(c *feature.Ctx, who jid.JID) (ok bool) {
	if who.BareString() == c.Owner.String() {
		return true
	}
	c.View(func(tx *store.Tx) {
		it, found := roster.Load(tx, c.Owner.String()).Find(who.BareString())
		ok = found && it.State&roster.From != 0
	})
	return ok
}

func answer(c *feature.Ctx, q *stanza.Stanza, seconds int64, status string) {
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", space).AttrInt("seconds", max(0, seconds)).Text(status).End()
	})
}

// presence is a stage behind the broadcast: the session is here, or says
// goodbye.
func (f feat) presence(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	switch {
	case !s.To.IsZero():
	case s.Type == stanza.Unavailable && !c.Account.Present():
		c.Session.Set(f.noted)
		note(c.Env, c.Owner, string(s.Elem.Child("status", stanza.Client).Text()))
	case s.Type == stanza.Available:
		c.Session.Clear(f.noted)
	}
	return feature.Continue
}

// unbound is for the account's last session, if it left without a goodbye.
func (f feat) unbound(c *feature.Ctx) {
	if len(c.Account.Sessions) == 0 && !c.Session.Has(f.noted) {
		note(c.Env, c.Owner, "")
	}
}

// note stores that the account's last resource is away now. Nobody waits for
// it: losing it in a crash is no harm.
func note(e *feature.Env, owner jid.JID, status string) {
	if len(status) > maxStatus {
		status = ""
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
