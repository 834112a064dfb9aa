package wire

import (
	"bytes"
	ctls "crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"meerkat/engine/loop"
)

// framedScribe is a scribe that hears of messages.
type framedScribe struct{ scribe }

func (s *framedScribe) Message(*Conn) { s.heard.WriteString("end|") }

// turner is an Upper that becomes a WebSocket at once.
type turner struct {
	scribe
	up    Framed
	limit int
}

func (u *turner) Opened(w *Conn) { w.Upgrade([]byte("answer"), u.up, u.limit) }

const testLimit = 1 << 17

// upgraded returns a WebSocket in memory.
func upgraded(t testing.TB) (*loop.Group, *framedScribe, *loop.Peer) {
	g := loop.NewManual(1, epoch)
	up := &framedScribe{}
	p := New(g, Options{}).Pipe(g.At(0), &turner{up: up, limit: testLimit}, false)
	g.Turn()
	if got := p.ReadString(); got != "answer" {
		t.Fatalf("got %q, want the answer", got)
	}
	up.heard.Reset()
	return g, up, p
}

// clientFrame is a frame as a client sends it. first is FIN, RSV and opcode.
func clientFrame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n <= 125:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, mask[:]...)
	at := len(b)
	b = append(b, payload...)
	ws.Cipher(b[at:], mask, 0)
	return b
}

func frames(f ...[]byte) string { return string(bytes.Join(f, nil)) }

func closing(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// said is what a server sends: its frames' first bytes and payloads.
func said(t testing.TB, b []byte) (list []string) {
	t.Helper()
	for r := bytes.NewReader(b); r.Len() > 0; {
		h, err := ws.ReadHeader(r)
		if err != nil || h.Length > int64(r.Len()) {
			t.Fatalf("the server sends %x: %v", b, err)
		}
		if h.Masked || !h.Fin || h.Rsv != 0 {
			t.Errorf("the server sends a frame with header %+v", h)
		}
		payload := make([]byte, h.Length)
		_, _ = io.ReadFull(r, payload)
		list = append(list, strconv.Itoa(int(h.OpCode))+":"+string(payload))
	}
	return list
}

const (
	text, cont, binaryOp   = 0x1, 0x0, 0x2
	shut, ping, pong, done = 0x8, 0x9, 0xA, 0x80
)

// TestFrames goes through RFC 6455 §5: what the Upper hears, what the client is
// answered, and whether it stays.
func TestFrames(t *testing.T) {
	long := strings.Repeat("x", 126)
	longer := strings.Repeat("y", 1<<16)
	tests := []struct {
		name   string
		sent   string
		heard  string
		answer string // the frames, opcode:payload, with blanks between
		err    error
	}{
		{name: "one message", sent: frames(clientFrame(done|text, "<a/>")), heard: "<a/>|end|"},
		{name: "empty message", sent: frames(clientFrame(done|text, "")), heard: "end|"},
		{name: "two messages", sent: frames(clientFrame(done|text, "<a/>"), clientFrame(done|text, "<b/>")), heard: "<a/>|end|<b/>|end|"},
		{name: "16 bits of length", sent: frames(clientFrame(done|text, long)), heard: long + "|end|"},
		{name: "64 bits of length", sent: frames(clientFrame(done|text, longer)), heard: longer[:65522] + "|" + longer[65522:] + "|end|"},
		{name: "fragments", sent: frames(clientFrame(text, "<a"), clientFrame(cont, ""), clientFrame(done|cont, "/>")), heard: "<a|/>|end|"},
		{name: "empty last fragment", sent: frames(clientFrame(text, "<a/>"), clientFrame(done|cont, "")), heard: "<a/>|end|"},
		{name: "ping between fragments", sent: frames(clientFrame(text, "<a"), clientFrame(done|ping, "hi"), clientFrame(done|cont, "/>")), heard: "<a|/>|end|", answer: "10:hi"},
		{name: "ping", sent: frames(clientFrame(done|ping, "")), answer: "10:"},
		{name: "largest ping", sent: frames(clientFrame(done|ping, long[:125])), answer: "10:" + long[:125]},
		{name: "pong nobody asked for", sent: frames(clientFrame(done|pong, "hi"))},

		{name: "character across fragments", sent: frames(clientFrame(text, "\xe2\x82"), clientFrame(done|cont, "\xac")), heard: "\xe2\x82|\xac|end|"},
		{name: "four bytes one by one", sent: frames(clientFrame(text, "\xf0"), clientFrame(cont, "\x9f"), clientFrame(cont, "\x90"), clientFrame(done|cont, "\x98")), heard: "\xf0|\x9f|\x90|\x98|end|"},

		{name: "RSV1", sent: frames(clientFrame(done|0x40|text, "<a/>")), err: CloseError(1002)},
		{name: "RSV3 of a ping", sent: frames(clientFrame(done|0x10|ping, "")), err: CloseError(1002)},
		{name: "reserved data opcode", sent: frames(clientFrame(done|0x3, "x")), err: CloseError(1002)},
		{name: "reserved control opcode", sent: frames(clientFrame(done|0xB, "x")), err: CloseError(1002)},
		{name: "unmasked", sent: "\x81\x04<a/>", err: CloseError(1002)},
		{name: "unmasked ping", sent: "\x89\x00", err: CloseError(1002)},
		{name: "control too long", sent: frames(clientFrame(done|ping, long)), err: CloseError(1002)},
		{name: "fragment of a ping", sent: frames(clientFrame(ping, "x")), err: CloseError(1002)},
		{name: "fragment of a close", sent: frames(clientFrame(shut, closing(1000, ""))), err: CloseError(1002)},
		{name: "continuation of nothing", sent: frames(clientFrame(done|cont, "x")), err: CloseError(1002)},
		{name: "continuation after the end", sent: frames(clientFrame(done|text, "<a/>"), clientFrame(done|cont, "x")), heard: "<a/>|end|", err: CloseError(1002)},
		{name: "text amid a message", sent: frames(clientFrame(text, "<a"), clientFrame(done|text, "/>")), heard: "<a|", err: CloseError(1002)},
		{name: "length not the shortest, 16 bits", sent: "\x81\xfe\x00\x05\x00\x00\x00\x00<a/> ", err: CloseError(1002)},
		{name: "length not the shortest, 64 bits", sent: "\x81\xff\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00<a/> ", err: CloseError(1002)},
		{name: "negative length", sent: "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", err: CloseError(1002)},
		{name: "binary", sent: frames(clientFrame(done|binaryOp, "<a/>")), err: CloseError(1003)},

		{name: "lone continuation byte", sent: frames(clientFrame(done|text, "a\x80")), err: CloseError(1007)},
		{name: "overlong", sent: frames(clientFrame(done|text, "\xc0\xaf")), err: CloseError(1007)},
		{name: "surrogate", sent: frames(clientFrame(done|text, "\xed\xa0\x80")), err: CloseError(1007)},
		{name: "above U+10FFFF", sent: frames(clientFrame(done|text, "\xf4\x90\x80\x80")), err: CloseError(1007)},
		{name: "truncated at the end", sent: frames(clientFrame(done|text, "a\xe2\x82")), heard: "a\xe2\x82|", err: CloseError(1007)},
		{name: "broken across fragments", sent: frames(clientFrame(text, "\xe2\x82"), clientFrame(done|cont, "a")), heard: "\xe2\x82|", err: CloseError(1007)},

		{name: "too big by its header", sent: "\x81\xff\x00\x00\x00\x00\x00\x02\x00\x01\x00\x00\x00\x00", err: CloseError(1009)},
		{name: "far too big", sent: "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", err: CloseError(1009)},
		{name: "too big in fragments", sent: frames(clientFrame(text, longer), clientFrame(cont, longer), clientFrame(cont, "x")),
			heard: longer[:65522] + "|" + longer[65522:] + "|" + longer[:65508] + "|" + longer[65508:] + "|", err: CloseError(1009)},

		{name: "close", sent: frames(clientFrame(done|shut, closing(1000, "bye"))), answer: "8:" + closing(1000, ""), err: io.EOF},
		{name: "close without a code", sent: frames(clientFrame(done|shut, "")), answer: "8:", err: io.EOF},
		{name: "close with a code of one's own", sent: frames(clientFrame(done|shut, closing(4999, ""))), answer: "8:" + closing(4999, ""), err: io.EOF},
		{name: "nothing counts after close", sent: frames(clientFrame(done|shut, closing(1001, "")), clientFrame(done|text, "<a/>")), answer: "8:" + closing(1001, ""), err: io.EOF},
		{name: "close with half a code", sent: frames(clientFrame(done|shut, "\x03")), err: CloseError(1002)},
		{name: "close with bad text", sent: frames(clientFrame(done|shut, closing(1000, "\xff"))), err: CloseError(1007)},
	}
	for _, code := range []uint16{0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535} {
		tests = append(tests, tests[0])
		last := &tests[len(tests)-1]
		last.name, last.sent, last.heard, last.err = "close with no code to be sent", frames(clientFrame(done|shut, closing(code, ""))), "", CloseError(1002)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, up, p := upgraded(t)
			p.WriteString(tt.sent)
			g.Turn()
			up.want(t, tt.heard)
			checkEnd(t, g, up, p, tt.answer, tt.err)
		})
	}
}

func checkEnd(t *testing.T, g *loop.Group, up *framedScribe, p *loop.Peer, answer string, err error) {
	t.Helper()
	var code CloseError
	if errors.As(err, &code) {
		answer = "8:" + closing(uint16(code), "")
	}
	if got := strings.Join(said(t, p.Read()), " "); got != answer {
		t.Errorf("the client is told %q, want %q", got, answer)
	}
	if p.Ended() != (err != nil) {
		t.Errorf("ended: %v, want %v", p.Ended(), err != nil)
	}
	p.Close()
	g.Turn()
	g.Advance(2 * loop.Tick)
	if err == nil {
		err = io.EOF
	}
	if !up.ended || up.err != err {
		t.Errorf("closed: %v with %v, want %v", up.ended, up.err, err)
	}
}

// TestFramesInPieces has every way of cutting the bytes lead to the same.
func TestFramesInPieces(t *testing.T) {
	sent := frames(clientFrame(text, "<a>\xe2\x82"), clientFrame(done|ping, "hi"), clientFrame(cont, "\xac"),
		clientFrame(done|cont, strings.Repeat("z", 200)+"</a>"), clientFrame(done|text, "<b/>"), clientFrame(done|shut, closing(1000, "")))
	want := "<a>€" + strings.Repeat("z", 200) + "</a>end<b/>end"
	for i := range 200 {
		g, up, p := upgraded(t)
		random := rand.New(rand.NewPCG(uint64(i), 1))
		takes := func(_ *Conn, in []byte) int { return len(in) }
		if i%2 == 1 { // an Upper that wants little at a time
			takes = func(w *Conn, in []byte) int { w.Yield(); return min(len(in), 1+random.IntN(5)) }
		}
		up.bytes = takes
		for rest := sent; rest != ""; {
			n := min(len(rest), 1+random.IntN(1+i/4))
			p.WriteString(rest[:n])
			rest = rest[n:]
			if random.IntN(3) > 0 {
				g.Turn()
			}
		}
		g.Turn()
		if got := strings.ReplaceAll(up.heard.String(), "|", ""); got != want {
			t.Fatalf("cut %d: heard\n%q, want\n%q", i, got, want)
		}
		up.heard.Reset()
		checkEnd(t, g, up, p, "10:hi 8:"+closing(1000, ""), io.EOF)
	}
}

func TestWebSocketOutput(t *testing.T) {
	g, up, p := upgraded(t)
	for _, n := range []int{0, 125, 126, 1<<16 - 1, 1 << 16} {
		text := strings.Repeat("x", n)
		up.w.Write([]byte(text))
		up.w.WriteMessage([]byte("<a"), []byte(text), []byte("/>"))
		g.Turn()
		got := said(t, p.Read())
		if len(got) != 2 || got[0] != "1:"+text || got[1] != "1:<a"+text+"/>" {
			t.Errorf("%d bytes come as %d messages", n, len(got))
		}
	}
	up.w.Close()
	g.Turn()
	if got := said(t, p.Read()); !p.Ended() || len(got) != 1 || got[0] != "8:"+closing(1000, "") {
		t.Errorf("at the close the client is told %q", got)
	}
}

func TestUpgradeUnderTLSAndMove(t *testing.T) {
	g, srv := memory(t, 2, Options{})
	up := &framedScribe{}
	p := srv.Pipe(g.At(0), &turner{up: up, limit: testLimit}, true)
	conn := secureClient(t, g, p, ctls.VersionTLS13)
	g.TurnUntil(func() bool { return up.w != nil })
	up.heard.Reset()
	_, _ = conn.Write(clientFrame(text, "<a"))
	g.Turn()
	moved := false
	up.w.Move(g.At(1), func() { moved = true })
	_, _ = conn.Write(clientFrame(done|cont, "/>"))
	g.Turn()
	up.want(t, "<a|/>|end|")
	if !moved || up.w.Loop() != g.At(1) || !up.w.Framed() || !up.w.Secure() {
		t.Errorf("moved %v, framed %v, secure %v", moved, up.w.Framed(), up.w.Secure())
	}
}

func TestMessageLimitChanges(t *testing.T) {
	g, up, p := upgraded(t)
	up.w.SetMessageLimit(4)
	p.WriteString(frames(clientFrame(done|text, "<a/>"), clientFrame(done|text, "<ab/>")))
	g.Turn()
	up.want(t, "<a/>|end|")
	checkEnd(t, g, up, p, "", CloseError(1009))
}

// FuzzFrames: whatever comes, in whatever pieces, the Upper hears only UTF-8
// within the limit, and the server says only whole frames.
func FuzzFrames(f *testing.F) {
	f.Add([]byte(frames(clientFrame(text, "<a"), clientFrame(done|ping, "x"), clientFrame(done|cont, "/>"))), uint8(3))
	f.Add([]byte(frames(clientFrame(done|shut, closing(1000, "bye")))), uint8(1))
	f.Add([]byte("\x81\xff\x00\x00\x00\x00\x00\x02\x00\x01\x00\x00\x00\x00"), uint8(7))
	f.Fuzz(func(t *testing.T, sent []byte, cut uint8) {
		g, up, p := upgraded(t)
		size := 0
		up.bytes = func(_ *Conn, in []byte) int { size += len(in); return len(in) }
		for len(sent) > 0 {
			n := min(len(sent), int(cut)+1)
			p.WriteString(string(sent[:n]))
			sent = sent[n:]
			g.Turn()
		}
		said(t, p.Read())
		if heard := up.heard.String(); size > 0 && strings.HasSuffix(heard, "end|") {
			for _, m := range strings.Split(heard, "end|") {
				if m = strings.ReplaceAll(m, "|", ""); len(m) > testLimit {
					t.Errorf("a message has %d bytes", len(m))
				}
			}
		}
	})
}
