package disco

import (
	"testing"

	"meerkat/engine/feature"
)

// XEP-0115 §5.2 has this example.
func TestVerificationString(t *testing.T) {
	i := info{
		identities: []feature.Identity{{Category: "client", Type: "pc", Name: "Exodus 0.9.1"}},
		features: []string{"http://jabber.org/protocol/muc", "http://jabber.org/protocol/disco#items",
			"http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info"},
	}
	i.sort()
	if got, want := i.ver(), "QgayPKawpkPSDYmwT/WM94uAlu0="; got != want {
		t.Errorf("ver is %s, want %s", got, want)
	}
}
