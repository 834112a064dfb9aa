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

func TestLandingPages(t *testing.T) {
	for _, row := range []struct {
		http HTTP
		inv  Invites
		want string
	}{
		{HTTP{}, Invites{Page: true}, ""},
		{HTTP{Listen: []string{":80"}}, Invites{Page: true}, ""}, // in clear
		{HTTP{TLSListen: []string{":5443"}}, Invites{Page: true}, "https://example.org:5443/invite/#"},
		{HTTP{TLSListen: []string{":5443"}}, Invites{}, ""},
		{HTTP{PublicURL: "https://chat.example.org/"}, Invites{Page: true}, "https://chat.example.org/invite/#"},
		{HTTP{TLSListen: []string{":5443"}}, Invites{Page: true, Landing: "https://own.example/#"}, "https://own.example/#"},
	} {
		if got := (&Config{HTTP: row.http, Invites: row.inv}).LandingAt("example.org"); got != row.want {
			t.Errorf("%+v, %+v: got %q, want %q", row.http, row.inv, got, row.want)
		}
	}
}
