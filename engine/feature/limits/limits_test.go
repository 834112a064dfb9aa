package limits

import (
	"testing"

	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/xml"
)

// XEP-0478 §3.1: what is said depends on whether the client has logged in.
func TestLimitsBeforeAndAfterLogin(t *testing.T) {
	cfg := config.Default()
	cfg.Limits.PreAuthStanza, cfg.Limits.Stanza = 9000, 100_000
	c := &feature.Ctx{Env: &feature.Env{Config: cfg}}
	want := map[bool]string{
		false: "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>9000</max-bytes></limits>",
		true:  "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>100000</max-bytes></limits>",
	}
	seen := 0
	for _, f := range New().Stream {
		var b xml.Builder
		b.Reset(nil, "jabber:client")
		f.Append(c, &b, "test")
		if got := string(b.Bytes()); got != want[f.Bound] {
			t.Errorf("bound %v: %s, want %s", f.Bound, got, want[f.Bound])
		}
		seen++
	}
	if seen != 2 {
		t.Errorf("said %d times, want before and after login", seen)
	}
}
