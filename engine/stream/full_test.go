package stream

import (
	"strings"
	"testing"

	"meerkat/engine/metric"
)

// A full server refuses who comes, at once and with the reason, and leaves in
// peace who is there.
func TestFullServerRefusesNewStreamsOnly(t *testing.T) {
	h := newHarness(t, 1, drop)
	full := false
	h.sh.Full = func() bool { return full }
	_, early := h.bind("romeo")
	_, half := h.login("juliet")
	before := metric.Snapshot()["meerkat_stream_full_total"]

	full = true
	late, p := h.dial()
	got := p.ReadString()
	for _, want := range []string{"<stream:stream ", "<resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>", "try again later", "</stream:stream>"} {
		if !strings.Contains(got, want) {
			t.Errorf("a newcomer reads %q, want %s", got, want)
		}
	}
	if late.phase != ended {
		t.Error("its stream goes on")
	}
	if n := metric.Snapshot()["meerkat_stream_full_total"] - before; n != 1 {
		t.Errorf("%v counted, want 1", n)
	}
	half.ReadString()
	half.WriteString(testBind)
	h.group.Turn()
	if got := half.ReadString(); !strings.Contains(got, "type='result'") {
		t.Errorf("who was logging in reads %q, want a result", got)
	}
	if early.Ended() || early.Closed() {
		t.Error("who was online is gone")
	}

	full = false
	if _, p := h.open(); strings.Contains(p.ReadString(), "error") {
		t.Error("refused though there is room again")
	}
}
