package presence

import (
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/roster"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// thaw makes a session available that has come back after a restart: its
// contacts hear of it again. The client still takes for present whoever was so
// before, so each contact is asked, and answers in any case (RFC 6121 §4.3.2).
func thaw(c *feature.Ctx, _ []byte) {
	if !c.Session.Available() {
		return
	}
	spread(c, c.Session.Presence, false)
	showOthers(c)
	c.View(func(tx *store.Tx) {
		for it := range roster.Load(tx, c.Owner.String()).All() {
			if it.State&roster.To != 0 {
				probe(c, it.JID)
			}
		}
	})
}

// probe asks a contact as a client would.
func probe(c *feature.Ctx, bare []byte) {
	to, err := jid.View(bare)
	if err != nil {
		return
	}
	var b xml.Builder
	b.Reset(c.Scratch(), stanza.Client)
	out := b.Start("presence", "").Attr("type", "probe").
		Attr("from", c.Session.JID.String()).Attr("to", to.String()).End().Bytes()
	c.Router.Send(to, out)
	c.Keep(out)
}
