package carbons

import (
	"meerkat/engine/stanza"
	"meerkat/xml"
)

const hints = "urn:xmpp:hints"

// eligible applies the rules of XEP-0280 §6.1, all of them, as the namespace
// urn:xmpp:carbons:rules:0 promises, but those about rooms that only what comes
// in is held against.
func eligible(s *stanza.Stanza) bool {
	switch s.Type {
	case stanza.Groupchat:
		return false
	case stanza.Error:
		return answersIM(s.Elem)
	}
	if private(s.Elem) {
		return false
	}
	return s.Type == stanza.Chat || speaks(s.Elem, s.Type == stanza.Normal)
}

// private reports whether the sender wants no copies: by the element, or by the
// hint that says the same (XEP-0334 §4.3).
func private(e xml.Elem) bool {
	return e.Child("private", space).OK() || e.Child("no-copy", hints).OK()
}

// speaks reports whether a message has a payload that instant messaging uses. In one
// that is no headline a body is one.
func speaks(e xml.Elem, body bool) bool {
	for c := e.First(); c.OK(); c = c.Next() {
		switch string(c.Space()) {
		case stanza.Client:
			if body && string(c.Local()) == "body" {
				return true
			}
		case "urn:xmpp:receipts", // XEP-0184
			"http://jabber.org/protocol/chatstates", // XEP-0085
			"urn:xmpp:chat-markers:0",               // XEP-0333
			"jabber:x:conference":                   // XEP-0249
			return true
		case "http://jabber.org/protocol/muc#user": // XEP-0045 §7.8.2
			if c.Child("invite", "http://jabber.org/protocol/muc#user").OK() {
				return true
			}
		}
	}
	return false
}

// answersIM reports whether an error answers a message that was eligible. What
// that message was can only be told from what the error repeats of it; where it
// repeats nothing the copy is rather sent. Hints in an error are not its own
// (XEP-0334 §5).
func answersIM(e xml.Elem) bool {
	first := e.First()
	if first.Is("error", stanza.Client) {
		first = first.Next()
	}
	return !first.OK() || speaks(e, true)
}

// fromRoom reports whether a message that came in is a private one of a room's
// occupant: the room gives it to each session that is there.
func fromRoom(s *stanza.Stanza) bool {
	x := s.Elem.Child("x", "http://jabber.org/protocol/muc#user")
	return x.OK() && s.From.IsFull() && !x.Child("invite", "http://jabber.org/protocol/muc#user").OK()
}
