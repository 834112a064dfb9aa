package archive

import (
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// lasting names the payloads besides a body that people want to find again, by
// namespace, and name where not all of it is (XEP-0313 §6.1.1 leaves the choice to
// the server). What changes nothing afterwards, as a chat state, is not there.
var lasting = map[string]string{
	"urn:xmpp:receipts":                      "received", // XEP-0184: without it, unread for ever
	"urn:xmpp:message-correct:0":             "",         // XEP-0308
	"urn:xmpp:message-retract:1":             "",         // XEP-0424
	"urn:xmpp:message-retract:0":             "",         //
	"urn:xmpp:fasten:0":                      "",         // XEP-0422
	"urn:xmpp:reactions:0":                   "",         // XEP-0444
	"urn:xmpp:message-attaching:1":           "",         // XEP-0367
	"urn:xmpp:omemo:2":                       "",         // XEP-0384
	"eu.siacs.conversations.axolotl":         "",         // and as it was
	"urn:xmpp:eme:0":                         "",         // XEP-0380
	"urn:xmpp:openpgp:0":                     "",         // XEP-0373
	"jabber:x:encrypted":                     "",         // XEP-0027
	"http://www.w3.org/2001/04/xmlenc#":      "",         //
	"jabber:x:conference":                    "",         // XEP-0249
	"jabber:x:oob":                           "",         // XEP-0066
	"urn:xmpp:jingle-message:0":              "",         // XEP-0353: missed calls
	"urn:xmpp:call-invites:0":                "",         // XEP-0482
	"urn:xmpp:http:online-meetings:invite:0": "",         // XEP-0483
	"urn:xmpp:sfs:0":                         "",         // XEP-0447
	"http://jabber.org/protocol/geoloc":      "",         // XEP-0080
	"http://jabber.org/protocol/rosterx":     "",         // XEP-0144
}

// markers are those of XEP-0333 that say something; "markable" only asks.
const markers = "urn:xmpp:chat-markers:0"

// Lasts reports whether a message has something that lasts, and its sender does
// not want it to be forgotten (XEP-0334).
func Lasts(s *stanza.Stanza) bool {
	says := false
	for e := s.Elem.First(); e.OK(); e = e.Next() {
		switch string(e.Space()) {
		case stanza.Client:
			says = says || string(e.Local()) == "body" || string(e.Local()) == "subject"
		case hintsSpace:
			switch string(e.Local()) {
			case "no-store", "no-permanent-store":
				return false
			case "store":
				says = true
			}
		default:
			says = says || lasts(e)
		}
	}
	return says
}

func lasts(e xml.Elem) bool {
	switch space := string(e.Space()); space {
	case markers:
		return string(e.Local()) != "markable"
	case "http://jabber.org/protocol/muc#user":
		return e.Child("invite", space).OK() || e.Child("decline", space).OK()
	default:
		name, ok := lasting[space]
		return ok && (name == "" || name == string(e.Local()))
	}
}
