package sm

import (
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

func secondsOf(n uint32) time.Duration { return time.Duration(n) * time.Second }

// unbound ends the keeper of a session that is gone.
func (f *Feature) unbound(c *feature.Ctx) {
	k, ok := c.Session.Bottom().(*keeper)
	if !ok || k.state&over != 0 {
		return
	}
	k.state |= over
	k.env.Loop.Stop(&k.timer)
	enabled.Add(c.Shard(), -1)
	if k.under == nil {
		detached.Add(c.Shard(), -1)
	} else {
		k.left()
	}
	if k.resumable() {
		home, owner, token, h := f.at(k.env), k.owner(), k.token, k.sess.Received
		k.sess.AfterSettled(func() { home.ended.remember(token[:], owner, h) }, k.env.Router)
	}
	k.makeRoom()
	taken := others(k.sess)
	k.giveBack(c, taken)
	k.queue.clear()
	if k.sess.Lasting {
		owner, id := k.owner(), k.sess.ID
		k.env.Loop.Post(func() { // behind what the stanzas have become
			k.b.do(func(tx *store.Tx) error { return remove(tx, owner, id) }, func(error) {})
		})
	}
}

// giveBack hands back all that is in the queue.
func (k *keeper) giveBack(c *feature.Ctx, taken bool) {
	c.View(func(tx *store.Tx) {
		n := k.acked
		k.queue.each(func(it item) {
			n++
			if it.marks&away != 0 {
				it.stanza = k.fetch(tx, n)
			}
			handBack(c, it, taken)
		})
	})
}

// handBack gives a stanza that nobody acknowledged to whom it may concern, as
// if it came for a resource that is not there (XEP-0198 §4). taken says that
// another resource takes the account's messages.
func handBack(c *feature.Ctx, it item, taken bool) {
	var doc xml.Doc
	var s stanza.Stanza
	e, err := doc.Parse(it.stanza, stanza.Client)
	if err != nil || s.Read(e) != stanza.OK {
		return
	}
	if s.From, err = jid.View(e.Attr("from")); err != nil {
		return // the server's own
	}
	switch {
	case s.Request():
		returned.Add(c.Shard(), 1)
		c.Fail(&s, stanza.ServiceUnavailable, "")
	case s.Kind == stanza.Message && !copied(e) && !(taken && it.marks&shared != 0 && s.To.IsBare()):
		returned.Add(c.Shard(), 1)
		pass(c, &s, time.UnixMilli(it.at))
	}
}

// copied reports a carbon (XEP-0280): the original has its own way.
func copied(e xml.Elem) bool {
	const carbons = "urn:xmpp:carbons:2"
	return e.Child("sent", carbons).OK() || e.Child("received", carbons).OK()
}

// pass sends a message through the stages of the account again. What was for
// this one resource is for any now, unless it means nothing to others.
func pass(c *feature.Ctx, s *stanza.Stanza, came time.Time) {
	if s.Type == stanza.Normal || s.Type == stanza.Chat {
		s.To = s.To.Bare()
	}
	if !delayed(s) {
		var b xml.Builder
		s.Tail = b.Reset(nil, stanza.Client).Start("delay", "urn:xmpp:delay").
			Attr("from", c.Owner.Domain()).
			Attr("stamp", came.UTC().Format("2006-01-02T15:04:05.000Z")).End().Bytes()
	}
	c.Router.Redeliver(s)
}

// delayed reports that the message says when it came already.
func delayed(s *stanza.Stanza) bool { return s.Elem.Child("delay", "urn:xmpp:delay").OK() }
