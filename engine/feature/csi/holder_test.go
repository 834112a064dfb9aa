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
