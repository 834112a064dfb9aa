package offline

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// drain is the giving of one account's stored messages to one session. What
// comes meanwhile is held in memory behind them, as much as may wait for a client
// (limits.output_soft), and above that stored as well: so a drain ends however
// steadily messages come.
type drain struct {
	f       *Feature
	env     *feature.Env
	owner   jid.JID
	session *account.Session
	last    uint64 // id of the last message given

	held   []message
	size   int    // bytes held, as they would be given
	behind uint64 // updates issued when the held ones were last stored
	// live: nothing stored is left to give. New messages go their usual way; the
	// drain waits only to know what it may delete.
	live bool
	// after takes messages too, but became available while live: there is
	// nothing for it, unless those given do not reach session.
	after *account.Session
}

func (f *Feature) start(e *feature.Env, owner jid.JID, s *account.Session) {
	if d := f.drains[e.Shard()][owner.String()]; d != nil {
		d.after = s
		return
	}
	d := &drain{f: f, env: e, owner: owner, session: s}
	f.drains[e.Shard()][owner.String()] = d
	d.next()
}

// next gives one chunk, once all that this loop has queued for storing by now is
// there.
func (d *drain) next() {
	there := d.env.Issued()
	d.env.WhenSettled(func() {
		switch {
		case !d.current():
		case !takes(d.session):
			d.after = d.another()
			d.end()
		case !d.give():
			d.session.Sink.Sent(d.sent)
		case d.behind > there: // stored since then, so perhaps not there yet
			d.next()
		default:
			d.goLive()
		}
	})
}

func (d *drain) current() bool { return d.f.drains[d.env.Shard()][d.owner.String()] == d }

// give writes stored messages, and reports that none are left.
func (d *drain) give() bool {
	size, n, all := 0, 0, true
	unwanted := d.unwanted()
	d.env.View(func(tx *store.Tx) {
		err := log.Each(tx, d.owner.String(), d.last, func(id uint64, v []byte) error {
			if size >= chunk {
				all = false
				return store.ErrStop
			}
			if d.last = id; unwanted != nil && unwanted(v) {
				return nil
			}
			d.session.Sink.Write(v)
			size += len(v)
			n++
			return nil
		})
		if err != nil {
			d.env.Log.Error("stored messages cannot be read", "account", d.owner.String(), "err", err)
		}
	})
	given.Add(d.env.Shard(), uint64(n))
	return all
}

// unwanted tells messages that are not to be given, nor kept: whom the user has blocked
// meanwhile is not heard (XEP-0191 §3.3).
func (d *drain) unwanted() func(b []byte) bool {
	if d.f.Unwanted == nil {
		return nil
	}
	return d.f.Unwanted(d.env, d.session)
}

// hold keeps a message that came amid the drain.
func (d *drain) hold(m message) {
	d.held = append(d.held, m)
	if d.size += len(m.plain); d.size > int(d.env.Config.Limits.OutputSoft) {
		d.spill()
	}
}

// spill stores what is held.
func (d *drain) spill() {
	for _, m := range d.held {
		d.f.store(d.env, d.owner, m)
	}
	d.held, d.size = nil, 0
	d.behind = d.env.Issued()
}

// goLive gives what is held. What comes from now on comes behind it.
func (d *drain) goLive() {
	for _, m := range d.held {
		d.session.Sink.Write(m.plain)
		m.req.Drop()
	}
	d.held, d.live = nil, true
	if d.last == 0 {
		d.end()
		return
	}
	d.session.Sink.Sent(d.sent)
}

// sent forgets what the session has been given. A message whose way to the
// client is not certain stays: it comes again rather than never.
func (d *drain) sent(ok bool) {
	if ok {
		d.forget()
	}
	if !ok || d.live {
		d.end()
		return
	}
	d.next()
}

func (d *drain) forget() {
	last := d.last
	if last == 0 {
		return
	}
	d.env.Update(func(tx *store.Tx) error {
		return log.DeleteUpTo(tx, d.owner.String(), last)
	}, func(err error) {
		if err != nil {
			d.env.Log.Warn("delivered messages stay stored and will come twice", "account", d.owner.String(), "err", err)
		}
	})
}

// end is the end of the drain. What is held is stored; another session that
// takes messages goes on with what is left.
func (d *drain) end() {
	if !d.current() {
		return
	}
	d.spill()
	delete(d.f.drains[d.env.Shard()], d.owner.String())
	if d.after != nil && takes(d.after) {
		d.f.start(d.env, d.owner, d.after)
	}
}

// another returns a session that takes messages, and not this drain's, or nil.
func (d *drain) another() *account.Session {
	a := d.session.Account
	for _, s := range a.Sessions {
		if s != d.session && takes(s) {
			return s
		}
	}
	return nil
}

// toOthers delivers s to those resources that a bare JID's messages are for
// (RFC 6121 §8.5.2.1.1), but one.
func toOthers(c *feature.Ctx, s *stanza.Stanza, but *account.Session) {
	for _, o := range c.Account.Sessions {
		if o != but && takes(o) {
			b := s.Append(c.Scratch())
			o.Sink.Write(b)
			c.Keep(b)
		}
	}
}

func takes(s *account.Session) bool { return s.Available() && s.Priority >= 0 }

// unbound ends the drain of a session that is gone.
func (f *Feature) unbound(c *feature.Ctx) {
	d := f.drains[c.Shard()][c.Owner.String()]
	if d == nil || d.session != c.Session && d.after != c.Session {
		return
	}
	d.after = d.another()
	if d.session == c.Session {
		d.end()
	}
}
