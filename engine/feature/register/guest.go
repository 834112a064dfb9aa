package register

import (
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/invite"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

var (
	guests = metric.NewCounter("meerkat_register_invited_total",
		"Accounts made by invitation.")
	unknown = metric.NewCounter("meerkat_register_bad_tokens_total",
		"Invitations shown that are not good, or not any more.")
)

// guest is a stranger who has shown an invitation (XEP-0445 §4). The methods of a
// nil guest are those of anybody else.
type guest struct {
	invite.Invite
	token string
}

// welcome reports whether invitations are good for accounts.
func welcome(e *feature.Env) bool { return e.Config.Invites.Accounts != "nobody" }

// guestOf returns the guest on c's stream, or nil.
func guestOf(c *feature.PreAuthCtx) *guest {
	g, _ := (*c.Memo).(*guest)
	return g
}

// invited takes <preauth/> from a stream that nobody has logged in on. The time of
// the invitation is looked at here only.
func invited(c *feature.PreAuthCtx, q *stanza.Stanza) {
	pl := q.Payload()
	g := &guest{token: string(pl.Attr("token"))}
	if !welcome(c.Env) || q.Type != stanza.Set || !pl.Is("preauth", invite.Space) {
		c.Fail(q, stanza.ServiceUnavailable, "")
		return
	}
	good := false
	c.View(func(tx *store.Tx) {
		var ok bool
		g.Invite, ok = invite.Find(tx, invite.KeyOf(g.token), c.Now())
		good = ok && g.Register && g.Host == c.Host
	})
	if !good {
		unknown.Add(c.Shard(), 1)
		c.Fail(q, stanza.ItemNotFound, "the invitation is not good, or not any more")
		return
	}
	*c.Memo = g
	c.Result(q, nil)
}

// name is the one that the account is to have, "" for any.
func (g *guest) name() string {
	if g == nil || g.User == "" {
		return ""
	}
	return jid.MustParse(g.User).Local()
}

// enter is part of the update that makes the account user: it uses the invitation,
// and has the account want to be a contact of who has invited.
func (g *guest) enter(tx *store.Tx, user jid.JID, now time.Time, limit int) error {
	if g == nil {
		if invite.Reserved(tx, user.String(), "", now) {
			return invite.ErrReserved
		}
		return nil
	}
	in, ok := invite.Find(tx, invite.KeyOf(g.token), time.Time{})
	switch {
	case !ok || !in.Register:
		return stanza.ItemNotFound // used meanwhile
	case in.User != "" && in.User != user.String():
		return stanza.NotAllowed
	case invite.Reserved(tx, user.String(), invite.KeyOf(g.token), now):
		return invite.ErrReserved
	}
	if in.Subscribe && in.By != "" {
		for _, t := range []stanza.Type{stanza.Subscribed, stanza.Subscribe} {
			if _, err := roster.Outbound(tx, user.String(), in.By, t, limit); err != nil {
				return err
			}
		}
	}
	return invite.Registered(tx, invite.KeyOf(g.token), user.String())
}

// meet sends what enter has stored: the request to who has invited.
func (g *guest) meet(c *feature.PreAuthCtx, user jid.JID) {
	if g == nil {
		return
	}
	guests.Add(c.Shard(), 1)
	*c.Memo = nil
	if !g.Subscribe || g.By == "" {
		return
	}
	var b xml.Builder
	b.Reset(c.Scratch(), stanza.Client).Start("presence", "").Attr("type", "subscribe")
	b.Attr("from", user.String()).Attr("to", g.By).Start("preauth", invite.Space).Attr("token", g.token)
	out := b.End().End().Bytes()
	c.Router.Send(jid.MustParse(g.By), out)
	c.Keep(out)
}
