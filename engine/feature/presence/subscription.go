package presence

import (
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// outboundSubscription is Appendix A.2 of RFC 6121: the roster changes first;
// once that is stored, resources get a push and the contact the stanza. The
// session's next stanzas wait.
func outboundSubscription(c *feature.Ctx, s *stanza.Stanza) {
	to := s.To.Bare().Clone()
	switch {
	case s.To.IsZero():
		c.Fail(s, stanza.BadRequest, "")
		return
	case to == c.Owner:
		c.Fail(s, stanza.NotAllowed, "")
		return
	case !c.Router.Local(to.Domain()):
		c.Fail(s, stanza.RemoteServerNotFound, "")
		return
	}
	subscriptions.Add(c.Shard(), 1)
	s.From, s.To = c.Owner, to // stamped bare: §3.1.2
	b := s.Append(nil)
	s.From = c.Session.JID
	env, owner, session, req, t := c.Env, c.Owner, c.Session, c.Later(s), s.Type
	limit := env.Config.Limits.RosterItems
	var ch roster.Change
	env.Update(func(tx *store.Tx) (err error) {
		ch, err = roster.Outbound(tx, owner.String(), to.String(), t, limit)
		return err
	}, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		roster.Push(env, owner.String(), ch)
		if ch.Effect&roster.Pass != 0 {
			env.Router.SendFor(session, to, b)
		}
		shown(env, owner, to, ch)
		req.Drop()
	})
}

// inboundSubscription is Appendix A.3.
func inboundSubscription(c *feature.Ctx, s *stanza.Stanza) {
	subscriptions.Add(c.Shard(), 1)
	from, owner, t := s.From.Bare().Clone(), c.Owner.Clone(), s.Type
	full := s.From
	s.From, s.To = from, owner
	b := s.Append(nil)
	s.From = full
	env := c.Env
	limit := env.Config.Limits.RosterItems
	var ch roster.Change
	exists := false
	env.Update(func(tx *store.Tx) (err error) {
		if exists = env.Users.Exists(tx, owner); !exists {
			return nil
		}
		ch, err = roster.Inbound(tx, owner.String(), from.String(), t, b, limit)
		return err
	}, func(err error) {
		switch {
		case err != nil:
			env.Log.Warn("a subscription could not be stored", "account", owner.String(), "type", t.String(), "err", err)
		case !exists:
			if t == stanza.Subscribe { // §3.1.3
				reply(env, owner, from, stanza.Unsubscribed)
			}
		default:
			arrived(env, owner, from, t, b, ch)
		}
	})
}

// arrived does what a stored inbound change asks for.
func arrived(e *feature.Env, owner, from jid.JID, t stanza.Type, b []byte, ch roster.Change) {
	roster.Push(e, owner.String(), ch)
	if ch.Effect&roster.Pass != 0 {
		toResources(e, owner, t, b)
	}
	if ch.Effect&roster.Grant != 0 { // §3.1.3, §3.4.2
		reply(e, owner, from, stanza.Subscribed)
	}
	shown(e, owner, from, ch)
}

// toResources delivers a subscription stanza: a request to whoever is available
// to answer, news to whoever has the roster (RFC 6121 §3.1.3, §3.1.6).
func toResources(e *feature.Env, owner jid.JID, t stanza.Type, b []byte) {
	a := e.Accounts.Get(owner.String())
	if a == nil {
		return
	}
	for _, s := range a.Sessions {
		if s.Available() || t != stanza.Subscribe && s.Interested {
			s.Sink.Write(b)
			delivered.Add(e.Shard(), 1)
		}
	}
}

// shown lets the contact see presence it has got the right to (§3.1.5), or its
// end (§3.2.2, §3.3.3).
func shown(e *feature.Env, owner, contact jid.JID, ch roster.Change) {
	a := e.Accounts.Get(owner.String())
	if a == nil || !ch.Got() && !ch.Lost() {
		return
	}
	for _, s := range a.Sessions {
		switch {
		case !s.Available():
		case ch.Got():
			e.Router.Send(contact, address(nil, s.Presence.B, contact))
		default:
			reply(e, s.JID, contact, stanza.Unavailable)
		}
	}
}
