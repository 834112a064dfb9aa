package stream

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
)

// A flood of one client must leave room in every turn for the others.
func TestStanzasOfATurnAreBounded(t *testing.T) {
	perTurn := map[int]int{}
	turn := 0
	h := newHarness(t, 1, func(*feature.Ctx, *stanza.Stanza) feature.Verdict {
		perTurn[turn]++
		return feature.Done
	})
	_, p := h.bind("romeo@test")
	p.WriteString(strings.Repeat("<message/>", 200))
	var tick func()
	tick = func() { // mail comes behind sockets and before what waits
		if turn++; turn < 20 {
			h.group.At(0).Post(tick)
		}
	}
	h.group.At(0).Post(tick)
	h.group.Turn()
	sum := 0
	for i, n := range perTurn {
		if sum += n; n > h.sh.Config.Limits.StanzasPerTurn {
			t.Errorf("turn %d: %d stanzas, want at most %d", i, n, h.sh.Config.Limits.StanzasPerTurn)
		}
	}
	if sum != 200 {
		t.Errorf("%d stanzas were handled, want 200", sum)
	}
}

func TestStanzaDoesNotAllocate(t *testing.T) {
	h := newHarness(t, 1, drop)
	s, _ := h.bind("romeo@test")
	in := []byte("<message to='juliet@test' type='chat' id='m1'><body>hello</body></message>")
	in = append(in, make([]byte, 64)...)[:len(in)]
	s.Bytes(s.w, in)
	if n := testing.AllocsPerRun(1000, func() { s.Bytes(s.w, in) }); n != 0 {
		t.Errorf("a message: %v allocations, want 0", n)
	}
	out := []byte("<message from='romeo@test/desk' to='juliet@test'/>")
	s.Write(out)
	if n := testing.AllocsPerRun(1000, func() { s.Write(out) }); n != 0 {
		t.Errorf("a message written: %v allocations, want 0", n)
	}
}

func TestPausedStreamReadsNothing(t *testing.T) {
	n := 0
	var s *Stream
	h := newHarness(t, 1, func(c *feature.Ctx, _ *stanza.Stanza) feature.Verdict {
		n++
		c.Session.Hold()
		return feature.Done
	})
	s, p := h.bind("romeo@test")
	p.WriteString("<message/><message/><message/>")
	for want := 1; want <= 3; want++ {
		h.group.Turn()
		if n != want {
			t.Fatalf("%d messages were handled, want %d", n, want)
		}
		s.sess.Release()
	}
	h.group.Turn()
	if n != 3 || s.flags&held != 0 {
		t.Errorf("%d messages were handled, want 3; flags %b", n, s.flags)
	}
}

// asked records the answers of Sent.
type asked []bool

func (a *asked) done(ok bool) { *a = append(*a, ok) }

func TestSentWaitsForTheKernel(t *testing.T) {
	h := newHarness(t, 1, drop)
	s, p := h.bind("romeo@test")
	var first, second asked
	s.Write([]byte("<message id='1'/>"))
	s.Sent(first.done)
	if len(first) != 0 {
		t.Fatal("Sent called back before the turn's end")
	}
	h.group.Turn()
	if len(first) != 1 || !first[0] || s.marks != nil {
		t.Fatalf("a client that reads: got %v, want one true", first)
	}
	p.StopReading()
	s.Write([]byte("<message id='2'/>"))
	s.Sent(first.done)
	h.group.Turn()
	s.Write([]byte("<message id='3'/>"))
	s.Sent(second.done)
	h.group.Advance(time.Second)
	if len(first) != 1 || len(second) != 0 {
		t.Fatalf("a client that does not read: got %v, %v", first, second)
	}
	p.ReadSome(len("<message id='2'/>"))
	h.group.Advance(time.Second)
	if len(first) != 2 || !first[1] || len(second) != 0 {
		t.Fatalf("one of two has left: got %v, %v", first, second)
	}
	p.Close()
	h.group.Turn()
	if len(second) != 1 || second[0] {
		t.Errorf("cut: got %v, want one false", second)
	}
	s.Sent(second.done)
	if len(second) != 2 || second[1] {
		t.Errorf("after the end: got %v, want false", second)
	}
}

// What Sent calls may write and ask again, as a queue does that is sent in
// pieces.
func TestSentInPieces(t *testing.T) {
	h := newHarness(t, 1, drop)
	s, p := h.bind("romeo@test")
	n := 0
	var piece func(ok bool)
	piece = func(ok bool) {
		if n++; ok && n < 5 {
			s.Write([]byte("<message/>"))
			s.Sent(piece)
		}
	}
	piece(true)
	h.group.Turn()
	if got := p.ReadString(); n != 5 || got != strings.Repeat("<message/>", 4) {
		t.Errorf("got %d calls and %q, want 5 and four messages", n, got)
	}
}

func TestKickUnbindsAfterTheHandler(t *testing.T) {
	h := newHarness(t, 1, nil)
	var s *Stream
	h.sh.homes[0].router.Outbound = []feature.Stage{func(c *feature.Ctx, _ *stanza.Stanza) feature.Verdict {
		s.Kick("policy-violation", "enough")
		if len(c.Account.Sessions) != 1 {
			t.Error("Kick unbound the session amid its own handler")
		}
		return feature.Done
	}}
	s, p := h.bind("romeo@test")
	p.WriteString("<message/><message/>")
	h.group.Turn()
	const want = "<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>" +
		"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams' xml:lang='en'>enough</text></stream:error></stream:stream>"
	if got := p.ReadString(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if a := h.sh.homes[0].router.Env().Accounts; a.Len() != 0 || s.sess != nil {
		t.Errorf("%d accounts are left, want none", a.Len())
	}
}

func TestDrainEndsStreamsOfEveryPhase(t *testing.T) {
	h := newHarness(t, 3, drop)
	_, silent := h.dial()
	_, opened := h.open()
	_, loggedIn := h.login("romeo@test")
	_, bound := h.bind("juliet@test")
	h.sh.Drain()
	h.group.Turn()
	_, late := h.dial()
	for name, p := range map[string]*loop.Peer{"silent": silent, "opened": opened, "logged in": loggedIn, "bound": bound, "late": late} {
		got := p.ReadString()
		if !strings.HasSuffix(got, "<system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>") || !p.Ended() {
			t.Errorf("%s: got %q, ended %v", name, got, p.Ended())
		}
		p.Close()
	}
	h.group.Advance(10 * time.Second)
	for _, at := range h.sh.homes {
		if at.streams != nil || at.router.Env().Accounts.Len() != 0 {
			t.Errorf("loop %d still has streams or accounts", at.loop.Index)
		}
	}
}

// A stream that moves while the server drains hears of it where it arrives.
func TestDrainAmidAMove(t *testing.T) {
	h := newHarness(t, 3, drop)
	s, p := h.login("juliet@test")
	if h.group.For("juliet@test") == s.at.loop {
		t.Fatal("the account lives on the loop the client came to: take another name")
	}
	p.WriteString(testBind)
	h.sh.Drain()
	h.group.Turn()
	if got := p.ReadString(); !strings.Contains(got, "<system-shutdown") || !p.Ended() {
		t.Errorf("got %q, ended %v", got, p.Ended())
	}
}

func TestCutAmidAMoveLeavesNothing(t *testing.T) {
	h := newHarness(t, 3, drop)
	before := open.Value()
	s, p := h.login("juliet@test")
	p.WriteString(testBind)
	p.Close()
	h.group.Turn()
	h.group.Advance(10 * time.Second)
	if s.sess != nil || open.Value() != before {
		t.Errorf("session %v, %d streams open, want none and %d", s.sess, open.Value(), before)
	}
}

// verdicts are the conditions for those of the corpus.
var verdicts = map[string]string{
	"not-well-formed":   "not-well-formed",
	"restricted-xml":    "restricted-xml",
	"invalid-namespace": "not-well-formed", // not namespace-well-formed: RFC 6120 §11.3
	"bad-encoding":      "unsupported-encoding",
}

type malformed struct {
	ID, Ctx, Hex, Verdict string
	Also                  []string
}

func (m *malformed) allows(condition string) bool {
	for _, v := range append(m.Also, m.Verdict) {
		if v == condition || verdicts[v] == condition {
			return true
		}
	}
	switch condition {
	case "bad-namespace-prefix":
		return m.Verdict == "invalid-namespace"
	case "not-well-formed":
		return m.Verdict == "bad-encoding"
	case "bad-format": // text between stanzas has a condition of its own
		return strings.HasPrefix(m.ID, "text-")
	}
	return false
}

// Every malformed input ends the stream with its condition, whole and a byte at
// a time, and nothing of it is acted on.
func TestMalformedInput(t *testing.T) {
	f, err := os.Open("../../xml/testdata/malformed.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for lines := bufio.NewScanner(f); lines.Scan(); n++ {
		var m malformed
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		in, err := hex.DecodeString(m.Hex)
		if err != nil {
			t.Fatal(err)
		}
		early := m.ID == "stream-11" // it begins with a message, which has no business before login
		if m.Verdict != "ok" && m.Verdict != "incomplete" && !early {
			in = bytes.Replace(in, []byte("<stream:stream "), []byte("<stream:stream to='test' "), 1)
			feed(t, &m, in, len(in))
			feed(t, &m, in, 1)
		}
	}
	if n < 100 {
		t.Errorf("the corpus has %d cases, want all of them", n)
	}
}

func feed(t *testing.T, m *malformed, in []byte, chunk int) {
	acted := false
	h := newHarness(t, 1, func(*feature.Ctx, *stanza.Stanza) feature.Verdict { acted = true; return feature.Done })
	var p *loop.Peer
	if m.Ctx == "stanza" {
		_, p = h.bind("romeo@test")
	} else {
		_, p = h.dial()
	}
	for len(in) > 0 {
		k := min(chunk, len(in))
		p.Write(in[:k])
		in = in[k:]
		h.group.Turn()
	}
	got := p.ReadString()
	_, got, ok := strings.Cut(got, "<stream:error><")
	condition, _, _ := strings.Cut(got, " ")
	if !ok || !m.allows(condition) || !p.Ended() {
		t.Errorf("%s by %d: got %q, want %s %v", m.ID, chunk, got, m.Verdict, m.Also)
	}
	if whole := m.ID == "tag-19"; acted && !whole { // a stanza, and then an end-tag too many
		t.Errorf("%s by %d: it was acted on", m.ID, chunk)
	}
}
