package offline

import (
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// Genuine is a stage for what our sessions send, messages and presence: it
// leaves out the delay stamps that only a server of ours could have made
// (XEP-0203 §6).
func Genuine(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if !s.Stamped() {
		return feature.Continue
	}
	for e := s.Elem.First(); e.OK(); e = e.Next() {
		if forged(e, c.Router) {
			leaveOut(s, c.Router)
			break
		}
	}
	return feature.Continue
}

func leaveOut(s *stanza.Stanza, r feature.Router) {
	also := s.Strip
	s.Strip = func(child xml.Elem) bool {
		return forged(child, r) || also != nil && also(child)
	}
}

// forged reports whether a client's child is a stamp of one of our domains.
func forged(e xml.Elem, r feature.Router) bool {
	if string(e.Local()) != "delay" || string(e.Space()) != "urn:xmpp:delay" {
		return false
	}
	from, err := jid.View(e.Attr("from"))
	return err == nil && !from.HasLocal() && r.Local(from.Domain())
}
