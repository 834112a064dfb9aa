package config

import "testing"

func TestContactAddressesAreURIs(t *testing.T) {
	for addr, ok := range map[string]bool{
		"mailto:abuse@example.org": true, "xmpp:abuse@example.org": true, "https://example.org/abuse": true,
		"abuse@example.org": false, "": false, "https:": false, "mailto:": false,
	} {
		if err := (&Contact{Abuse: []string{addr}}).Check(); (err == nil) != ok {
			t.Errorf("%q: %v", addr, err)
		}
	}
}
