package carbons

import (
	"testing"

	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// XEP-0280 §6.1, rule by rule.
func TestEligible(t *testing.T) {
	const (
		receipt = "<received xmlns='urn:xmpp:receipts' id='1'/>"
		state   = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
		marker  = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"
		invite  = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>"
		direct  = "<x xmlns='jabber:x:conference' jid='r@c'/>"
		priv    = "<private xmlns='urn:xmpp:carbons:2'/>"
		noCopy  = "<no-copy xmlns='urn:xmpp:hints'/>"
		broken  = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
		pm      = "<body>b</body><x xmlns='http://jabber.org/protocol/muc#user'/>"
	)
	for _, test := range []struct {
		kind, content string
		out, in       bool // may be copied when sent, when received
	}{
		{"chat", "<body>b</body>", true, true},
		{"chat", "<x xmlns='urn:x'/>", true, true},
		{"chat", "<body>b</body>" + priv, false, false},
		{"chat", "<body>b</body>" + noCopy, false, false},
		{"normal", "<body>b</body>", true, true},
		{"normal", "<body>b</body>" + priv, false, false},
		{"normal", "<subject>s</subject>", false, false},
		{"normal", "<body xmlns='urn:x'>b</body>", false, false},
		{"normal", receipt, true, true},
		{"normal", state, true, true},
		{"normal", marker, true, true},
		{"normal", invite, true, true},
		{"normal", direct, true, true},
		{"headline", "<subject>s</subject>", false, false},
		{"headline", "<body>b</body>", false, false},
		{"headline", "<body>b</body>" + receipt, true, true},
		{"groupchat", "<body>b</body>", false, false},
		{"groupchat", marker, false, false},
		{"error", broken, true, true},
		{"error", "<body>b</body>" + broken, true, true},
		{"error", broken + "<body>b</body>" + priv, true, true},
		{"error", broken + "<x xmlns='urn:x'/>", false, false},
		{"chat", pm, true, false},
		{"chat", "<body>b</body>" + invite, true, true},
	} {
		var doc xml.Doc
		text := "<message type='" + test.kind + "' to='a@test'>" + test.content + "</message>"
		e, err := doc.Parse([]byte(text), stanza.Client)
		if err != nil {
			t.Fatal(err)
		}
		s := stanza.Stanza{From: jid.MustParse("room@c/nick")}
		if c := s.Read(e); c != stanza.OK {
			t.Fatal(c)
		}
		if got := eligible(&s); got != test.out {
			t.Errorf("sent, %s: %v, want %v", text, got, test.out)
		}
		if got := eligible(&s) && !fromRoom(&s); got != test.in {
			t.Errorf("received, %s: %v, want %v", text, got, test.in)
		}
	}
}
