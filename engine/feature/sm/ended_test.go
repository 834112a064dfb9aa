package sm

import (
	"encoding/base64"
	"encoding/binary"
	"testing"

	"meerkat/engine/jid"
)

// However many sessions end, so many of the last ones are remembered and no more.
func TestEndedSessionsAreForgottenInTurn(t *testing.T) {
	var d ended
	token := func(n uint32) []byte { return binary.BigEndian.AppendUint32(make([]byte, 12), n) }
	romeo := jid.MustParse("romeo@test")
	for n := range uint32(3 * maxEnded) {
		d.remember(token(n), romeo.String(), n)
		d.remember(token(n), romeo.String(), n+1)
	}
	if len(d.m) != maxEnded || len(d.ring) != maxEnded {
		t.Errorf("%d of %d are remembered, want %d", len(d.m), len(d.ring), maxEnded)
	}
	for n, want := range map[uint32]bool{2*maxEnded - 1: false, 2 * maxEnded: true, 3*maxEnded - 1: true} {
		if h, ok := d.find(romeo, base64.RawURLEncoding.EncodeToString(token(n))); ok != want || ok && h != n+1 {
			t.Errorf("session %d: got %d, %v, want %v", n, h, ok, want)
		}
	}
}
