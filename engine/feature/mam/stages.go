package mam

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// Outbound returns the stage for what a session sends: rest runs for a message
// once it is in the sender's archive, and sees its id there. The message itself
// goes on at once, and never with that id (XEP-0313 §3.3).
func (f *Feature) Outbound(rest ...feature.Stage) feature.Stage {
	f.out = rest
	return f.outbound
}

func (f *Feature) outbound(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	owner := c.Owner.String()
	strip(s, owner)
	if s.To.Bare() == c.Owner {
		return feature.Continue // it is archived when it comes in, once
	}
	w := f.loops[c.Shard()]
	tail := s.Tail
	archive := !c.Session.Talk.Has(f.unkept) && w.wants(c, s, s.To) && !w.known(c, s, s.To)
	wait := len(c.Account.Sessions) > 1
	switch {
	case archive:
		tell := nobody
		if wait {
			tell = w.when(c)
		}
		w.add(c, s, s.To, tell)
		c.Session.Unsettled |= 1 << (c.Shard() & 63)
		w.slow(c.Session)
		if tell == now {
			w.straight(f.out, c, s)
		}
	case wait && w.lines[owner] != nil:
		w.follow(c, s, sent)
	case wait:
		runAll(f.out, c, s)
	}
	s.Tail = tail
	return feature.Continue
}

// Inbound returns the stage for what an account gets: rest runs for a message once
// it is in the account's archive, and sees its id there.
func (f *Feature) Inbound(rest ...feature.Stage) feature.Stage {
	f.in = rest
	return f.inbound
}

func (f *Feature) inbound(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	w := f.loops[c.Shard()]
	owner := c.Owner.String()
	archive := false
	if !s.Again { // else it has been here, and has its id
		strip(s, owner)
		archive = w.wants(c, s, s.From) && !bounces(c, s) && !w.known(c, s, s.From)
	}
	waiting := w.lines[owner] != nil
	switch {
	case archive && c.Account == nil && !waiting:
		// Nobody is there to be told the id: what keeps the message for later
		// can be in the same commit.
		w.alone(func() { w.add(c, s, s.From, now) })
		return runAll(f.in, c, s)
	case archive && w.when(c) == now:
		w.add(c, s, s.From, now)
		return w.straight(f.in, c, s)
	case archive:
		w.add(c, s, s.From, then)
	case waiting:
		w.follow(c, s, came)
	default:
		return runAll(f.in, c, s)
	}
	return feature.Done
}

// when says whether the sessions of c.Owner may be told the id of a message now.
func (w *work) when(c *feature.Ctx) telling {
	if w.lines[c.Owner.String()] == nil && kept(c.Account) {
		return now
	}
	return then
}

// bounces reports a message that nobody gets: of type normal, for a resource that is
// not there (RFC 6121 §8.5.3.2.1). What is refused is not archived (XEP-0313 §6.1).
func bounces(c *feature.Ctx, s *stanza.Stanza) bool {
	return s.Type == stanza.Normal && s.To.IsFull() && (c.Account == nil || c.Account.Find(s.To.Resource()) == nil)
}

// kept reports whether a message for an account that is here needs not wait to be
// told its id: its sessions keep it from their clients until it is stored, which is
// one update with its being archived (XEP-0198), and one of them gets it.
func kept(a *account.Account) bool {
	if a == nil {
		return false
	}
	gets := false
	for _, s := range a.Sessions {
		if !s.Lasting {
			return false
		}
		gets = gets || s.Available() && s.Priority >= 0
	}
	return gets
}

// straight runs stages for a message that has been added to the archive.
func (w *work) straight(stages []feature.Stage, c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	tail := w.tail
	w.tail = nil // what is added meanwhile has another one
	v := runAll(stages, c, s)
	w.tail = tail
	return v
}

// Behind is a filter for what comes in that is no message: it waits for messages
// that came before it (RFC 6120 §10.1).
func (f *Feature) Behind(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	w := f.loops[c.Shard()]
	if s.Kind == stanza.Message || len(w.lines) == 0 || w.lines[c.Owner.String()] == nil {
		return feature.Continue
	}
	w.follow(c, s, other)
	return feature.Done
}

func runAll(stages []feature.Stage, c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	for _, stage := range stages {
		if stage(c, s) == feature.Done {
			return feature.Done
		}
	}
	return feature.Done
}

// wants reports whether s, exchanged with peer, goes into c.Owner's archive.
func (w *work) wants(c *feature.Ctx, s *stanza.Stanza, peer jid.JID) bool {
	if !w.f.enabled {
		return false
	}
	if c.Account != nil { // the answer about a peer is remembered: it comes first
		p := w.f.prefsOf(c)
		if p.want(c, peer) {
			return worthy(s)
		}
		if c.Session != nil && len(p.always)+len(p.never) == 0 { // which may name resources
			c.Session.Talk.Set(w.f.unkept)
		}
		return false
	}
	if !worthy(s) {
		return false
	}
	yes := false
	c.View(func(tx *store.Tx) {
		yes = c.Users.Exists(tx, c.Owner) && loadPrefs(tx, c.Owner.String()).want(c, peer)
	})
	return yes
}
