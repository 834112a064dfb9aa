package mam

import (
	"meerkat/engine/archive"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// worthy reports whether s belongs in a user's archive: normal and chat messages
// with something that lasts.
func worthy(s *stanza.Stanza) bool {
	return (s.Type == stanza.Normal || s.Type == stanza.Chat) && archive.Lasts(s)
}

// isID reports whether e is a stanza-id by owner.
func isID(e xml.Elem, owner string) bool {
	if string(e.Local()) != "stanza-id" || string(e.Space()) != sidSpace {
		return false
	}
	by := e.Attr("by")
	if string(by) == owner {
		return true
	}
	j, err := jid.View(by)
	return err == nil && j.String() == owner
}
