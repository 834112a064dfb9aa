package push

import (
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// news is what a message is to somebody who is not looking.
type news struct {
	counts bool
	asks   bool   // it is a request for a subscription instead
	sealed bool   // encrypted: its body says nothing
	from   string // address of the sender
	body   string
}

// judge judges any stanza to an account, own, a bare JID.
func judge(e xml.Elem, own string) news {
	switch {
	case e.Is("message", stanza.Client):
		return worth(received(e, own))
	case e.Is("presence", stanza.Client):
		return news{asks: string(e.Attr("type")) == "subscribe"}
	}
	return news{}
}

// received returns the message that a carbon (XEP-0280) has a copy of, or e itself.
// Only the account itself sends carbons: others would have it notified in the name
// of whomever they like.
func received(e xml.Elem, own string) xml.Elem {
	c := e.Child("received", "urn:xmpp:carbons:2")
	if !c.OK() || string(e.Attr("from")) != own {
		return e
	}
	return c.Child("forwarded", "urn:xmpp:forward:0").Child("message", stanza.Client)
}

// worth judges a message: one with a body, one that is encrypted, a call, an
// invitation. Errors, headlines, chat states, receipts and what the own account
// has sent from elsewhere wake nobody.
func worth(e xml.Elem) news {
	switch string(e.Attr("type")) {
	case "error", "headline":
		return news{}
	}
	n := news{from: string(e.Attr("from"))}
	for c := e.First(); c.OK(); c = c.Next() {
		switch space, local := string(c.Space()), string(c.Local()); {
		case space == stanza.Client && local == "body":
			n.body = string(c.Text())
			n.counts = n.counts || n.body != ""
		case seals(space, local):
			n.counts, n.sealed = true, true
		case urgent(c, space, local):
			n.counts = true
		}
	}
	return n
}

// seals reports elements that carry, or announce (XEP-0380), encrypted content.
func seals(space, local string) bool {
	switch space {
	case "urn:xmpp:eme:0":
		return local == "encryption"
	case "eu.siacs.conversations.axolotl", "urn:xmpp:omemo:1", "urn:xmpp:omemo:2":
		return local == "encrypted"
	case "urn:xmpp:openpgp:0":
		return local == "openpgp"
	case "jabber:x:encrypted":
		return local == "x"
	}
	return false
}

// urgent reports calls (XEP-0353, XEP-0482) and invitations (XEP-0249, XEP-0045
// §7.8).
func urgent(e xml.Elem, space, local string) bool {
	switch space {
	case "urn:xmpp:jingle-message:0":
		return local == "propose"
	case "urn:xmpp:call-invites:0":
		return local == "invite"
	case "jabber:x:conference":
		return local == "x"
	case "http://jabber.org/protocol/muc#user":
		return local == "x" && e.Child("invite", space).OK()
	}
	return false
}
