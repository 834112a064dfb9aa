package offline

import (
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// worth is what a message is to somebody who is not there.
type worth uint8

const (
	worthless worth = iota // nobody misses it: dropped in silence
	transient              // for now or never: the sender is told
	lasting                // kept
)

const hints = "urn:xmpp:hints"

// judge follows XEP-0160 §3 and the hints of XEP-0334: normal and chat messages
// are kept, unless they say nothing that lasts. no-permanent-store is about
// archives (§4.1 there): who is away may still get the message.
func judge(s *stanza.Stanza) worth {
	if s.Type != stanza.Normal && s.Type != stanza.Chat {
		return transient
	}
	switch {
	case s.Elem.Child("no-store", hints).OK():
		if says(s.Elem) {
			return transient
		}
	case says(s.Elem), s.Elem.Child("store", hints).OK():
		return lasting
	}
	return worthless
}

// says reports whether a message has anything but chat states (XEP-0085),
// hints and a thread.
func says(e xml.Elem) bool {
	for c := e.First(); c.OK(); c = c.Next() {
		switch string(c.Space()) {
		case "http://jabber.org/protocol/chatstates", hints:
			continue
		case stanza.Client:
			if string(c.Local()) == "thread" {
				continue
			}
		}
		return true
	}
	return false
}
