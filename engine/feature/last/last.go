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
	loops   []*notes
}

// notes are what a loop has to store, by account: who comes and goes over and over
// costs one write.
type notes struct {
	env *feature.Env
	of  map[jid.JID][]byte
}

// New returns the feature, on as many loops. started is when the server was.
func New(flags *account.Flags, started time.Time, loops int) feature.Feature {
	f := feat{started, flags.New("last"), make([]*notes, loops)}
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
		Start:       f.start,
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
		f.note(c, string(s.Elem.Child("status", stanza.Client).Text()))
	case s.Type == stanza.Available:
		c.Session.Clear(f.noted)
	}
	return feature.Continue
}

// unbound is for the account's last session, if it left without a goodbye.
func (f feat) unbound(c *feature.Ctx) {
	if len(c.Account.Sessions) == 0 && !c.Session.Has(f.noted) {
		f.note(c, "")
	}
}

// note has stored that the account's last resource is away now. Nobody waits for
// it: losing it in a crash is no harm.
func (f feat) note(c *feature.Ctx, status string) {
	if len(status) > maxStatus {
		status = ""
	}
	v := binary.BigEndian.AppendUint64(nil, uint64(c.Now().Unix()))
	f.loops[c.Shard()].of[c.Owner.Clone()] = append(v, status...)
	c.Join()
}

func (f feat) start(e *feature.Env) {
	n := &notes{e, make(map[jid.JID][]byte)}
	f.loops[e.Shard()] = n
	e.Collects(n.issue)
}

// issue makes an update of what there is.
func (n *notes) issue() {
	if len(n.of) == 0 {
		return
	}
	of := n.of
	n.of = make(map[jid.JID][]byte)
	n.env.Update(func(tx *store.Tx) error {
		for owner, v := range of {
			if !n.env.Users.Exists(tx, owner) {
				continue
			}
			if err := seen.Put(tx, owner.String(), v); err != nil {
				return err
			}
		}
		return nil
	}, func(err error) {
		if err != nil {
			n.env.Log.Warn("the times of logouts could not be stored", "accounts", len(of), "err", err)
		}
	})
}
