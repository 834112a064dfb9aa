package presence

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/metric"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
)

var (
	subscriptions = metric.NewCounter("meerkat_presence_subscriptions_total",
		"Subscription stanzas handled, outbound and inbound.")
	refused = metric.NewCounter("meerkat_presence_subscriptions_refused_total",
		"Inbound subscription stanzas that could not be stored: too many requests wait for an answer, or the disk is full.")
)

// outbound is Appendix A.2 of RFC 6121: the roster changes first; once that is
// stored, resources get a push and the contact the stanza. The session's next
// stanzas wait.
func (f *feat) outbound(c *feature.Ctx, s *stanza.Stanza) {
	to := s.To.Bare().Clone()
	if cond := sendable(c, to); cond != stanza.OK {
		c.Fail(s, cond, "")
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
		if !env.Users.Exists(tx, owner) { // removed meanwhile
			return stanza.NotAllowed
		}
		ch, err = roster.Outbound(tx, owner.String(), to.String(), t, limit)
		return err
	}, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		sent(env, session, to, b, ch)
		req.Drop()
	})
}

// sendable judges whom a subscription is for.
func sendable(c *feature.Ctx, to jid.JID) stanza.Condition {
	switch {
	case to.IsZero():
		return stanza.BadRequest
	case to == c.Owner:
		return stanza.NotAllowed
	case !c.Router.Local(to.Domain()):
		return stanza.RemoteServerNotFound
	}
	return stanza.OK
}

// sent does what a stored outbound change asks for.
func sent(e *feature.Env, from *account.Session, to jid.JID, b []byte, ch roster.Change) {
	owner := from.Account.JID
	roster.Push(e, owner.String(), ch)
	if ch.Effect&roster.Pass != 0 {
		e.Router.SendFor(from, to, b)
	}
	shown(e, owner, to, ch)
}

// inbound is Appendix A.3. Presence that comes meanwhile waits.
func (f *feat) inbound(c *feature.Ctx, s *stanza.Stanza) {
	subscriptions.Add(c.Shard(), 1)
	from, owner, t := s.From.Bare().Clone(), c.Owner.Clone(), s.Type
	full := s.From
	s.From, s.To = from, owner
	b := s.Append(nil)
	s.From = full
	env, line := c.Env, f.lines[c.Shard()]
	var ch roster.Change
	line.begin(owner)
	env.Update(func(tx *store.Tx) (err error) {
		ch = roster.Change{}
		if env.Users.Exists(tx, owner) { // else it is ignored: §8.5.1
			ch, err = roster.Inbound(tx, owner.String(), from.String(), t, b)
		}
		return err
	}, func(err error) {
		if err != nil {
			refuse(env, owner, from, t, err)
		} else {
			arrived(env, owner, from, t, b, ch)
		}
		line.end(env, owner)
	})
}

// refuse says no to a request that cannot be kept, so that its sender does not
// wait for an answer in vain. Anything else is lost.
func refuse(e *feature.Env, owner, from jid.JID, t stanza.Type, err error) {
	refused.Add(e.Shard(), 1)
	e.Log.Debug("a subscription could not be stored", "account", owner.String(), "type", t.String(), "err", err)
	if t == stanza.Subscribe {
		reply(e, owner, from, stanza.Unsubscribed)
	}
}

// arrived does what a stored inbound change asks for. The stanza comes before
// the push (§3.1.6, §3.2.3, §3.3.3).
func arrived(e *feature.Env, owner, from jid.JID, t stanza.Type, b []byte, ch roster.Change) {
	if ch.Effect&roster.Pass != 0 {
		toResources(e, owner, t, b)
	}
	roster.Push(e, owner.String(), ch)
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
// end (§3.2.2, §3.3.3). Who asks again, though it is granted, has lost sight.
func shown(e *feature.Env, owner, contact jid.JID, ch roster.Change) {
	a := e.Accounts.Get(owner.String())
	seen := ch.Got() || ch.Effect&roster.Grant != 0
	if a == nil || !seen && !ch.Lost() {
		return
	}
	for _, s := range a.Sessions {
		switch {
		case !s.Available():
		case seen:
			b := address(e.Scratch(), s.Presence, contact)
			e.Router.Send(contact, b)
			e.Keep(b)
		default:
			reply(e, s.JID, contact, stanza.Unavailable)
		}
	}
}
