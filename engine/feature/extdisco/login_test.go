package extdisco

import (
	"testing"
	"time"

	"meerkat/engine/config"
)

// A TURN server that shares the secret computes the same.
func TestTURNCredentials(t *testing.T) {
	s := &config.ExternalService{Secret: "sesame", Lifetime: config.Duration(time.Hour)}
	name, password, expires := login(time.Unix(1_000_000_000, 0), "romeo", s)
	// printf 1000003600:romeo | openssl dgst -sha1 -hmac sesame -binary | base64
	if want := "1000003600:romeo"; name != want {
		t.Errorf("name %q, want %q", name, want)
	}
	if want := "ZZb1Z5ZGEqMQgMst6jnt5E8Um+s="; password != want {
		t.Errorf("password %q, want %q", password, want)
	}
	if expires.Unix() != 1_000_003_600 {
		t.Errorf("expires %v", expires)
	}
}
