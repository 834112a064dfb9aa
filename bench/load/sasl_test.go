package load

import "testing"

// The example of RFC 5802 section 5.
func TestScramVector(t *testing.T) {
	s, err := newScram("SCRAM-SHA-1", "user", "pencil")
	if err != nil {
		t.Fatal(err)
	}
	s.nonce = "fyko+d2lbbFgONRv9qkxdawL"
	s.bare = "n=user,r=" + s.nonce
	got, err := s.final([]byte("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"))
	if err != nil {
		t.Fatal(err)
	}
	want := "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
	if got != want {
		t.Errorf("final %q, want %q", got, want)
	}
	if err := s.check([]byte("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")); err != nil {
		t.Errorf("the right signature: %v", err)
	}
	if err := s.check([]byte("v=rmF9pqV8S7suAoZWja4dJRkFsKA=")); err == nil {
		t.Error("a wrong signature passed")
	}
}

func TestScramRefusesForeignNonce(t *testing.T) {
	s, _ := newScram("SCRAM-SHA-256", "user", "pencil")
	if _, err := s.final([]byte("r=abcdefghijklmnopqrstuvwxyzabcdef,s=QSXCR+Q6sek8bf92,i=4096")); err == nil {
		t.Error("a nonce that is not ours passed")
	}
}
