package csi

import "testing"

// What a held stanza is the latest of: each item of a node for itself, or events
// would be lost where a node has many.
func TestKeys(t *testing.T) {
	event := func(inner string) string {
		return "<message type='headline' from='juliet@test'><event xmlns='http://jabber.org/protocol/pubsub#event'>" + inner + "</event></message>"
	}
	a := event("<items node='n'><item id='a'/></items>")
	for _, c := range []struct {
		name, one, other string
		same             bool
	}{
		{"an item twice", a, event("<items node='n'><item id='a'><x xmlns='urn:x'/></item></items>"), true},
		{"an item and its end", a, event("<items node='n'><retract id='a'/></items>"), true},
		{"two items", a, event("<items node='n'><item id='b'/></items>"), false},
		{"an item of another node", a, event("<items node='m'><item id='a'/></items>"), false},
		{"one of two items", a, event("<items node='n'><item id='a'/><item id='b'/></items>"), false},
	} {
		if one, other := keyOf([]byte(c.one)), keyOf([]byte(c.other)); one == "" || (one == other) != c.same {
			t.Errorf("%s: keys %q and %q, the same: want %v", c.name, one, other, c.same)
		}
	}
	for _, now := range []string{"<purge node='n'/>", "<delete node='n'/>", "<configuration node='n'/>", ""} {
		if key := keyOf([]byte(event(now))); key != "" {
			t.Errorf("%s waits as %q", now, key)
		}
	}
}

// Chat states wait also where clients and rooms say more beside them; what says
// anything else does not.
func TestStatesWait(t *testing.T) {
	const state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
	carbon := func(of string) string {
		return "<sent xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='a@test/x' to='b@test'>" +
			of + "</message></forwarded></sent>"
	}
	for inner, waits := range map[string]bool{
		state: true,
		state + "<thread>t</thread><no-store xmlns='urn:xmpp:hints'/>":                       true,
		state + "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>":                                 true,
		state + "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='1'/>":                       true,
		state + "<x xmlns='http://jabber.org/protocol/muc#user'/>":                           true,
		state + "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@test'/></x>": false,
		carbon(state):                    true,
		carbon(state + "<body>b</body>"): false,
		carbon(""):                       false,
		"<private xmlns='urn:xmpp:carbons:2'/>" + state:                                  false,
		state + "<body>b</body>":                                                         false,
		"<stanza-id xmlns='urn:xmpp:sid:0' id='1' by='a@test'/>":                         false,
		"<x xmlns='http://jabber.org/protocol/muc#user'/>":                               false,
		"<received xmlns='urn:xmpp:receipts' id='1'/><no-store xmlns='urn:xmpp:hints'/>": false,
		"<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>":                            false,
		state + "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>":                    false,
		"<subject>s</subject>" + state:                                                   false,
	} {
		if key := keyOf([]byte("<message from='room@c/n'>" + inner + "</message>")); (key != "") != waits {
			t.Errorf("%s waits as %q, want %v", inner, key, waits)
		}
	}
}
