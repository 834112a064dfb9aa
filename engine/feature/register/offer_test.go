package register

import (
	"testing"

	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/xml"
)

// What the stream features say, by who may make accounts.
func TestOffer(t *testing.T) {
	const open, token = "<register xmlns='http://jabber.org/features/iq-register'/>", "<register xmlns='urn:xmpp:ibr-token:0'/>"
	for _, row := range []struct {
		enabled bool
		invites string
		want    string
	}{
		{false, "nobody", ""}, {true, "nobody", open}, {false, "admins", token}, {true, "anybody", token + open},
	} {
		cfg := config.Default()
		cfg.Register.Enabled, cfg.Invites.Accounts = row.enabled, row.invites
		var b xml.Builder
		b.Reset(nil, "jabber:client")
		offer(&feature.Ctx{Env: &feature.Env{Config: cfg}}, &b, "test")
		if got := string(b.Bytes()); got != row.want {
			t.Errorf("enabled %v, invites %s: got %s, want %s", row.enabled, row.invites, got, row.want)
		}
	}
}
