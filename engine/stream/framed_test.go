package stream

import (
	"strings"
	"testing"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/engine/wire"
)

// upgrader makes a WebSocket of its connection at once.
type upgrader struct {
	up    wire.Framed
	limit int
}

func (u upgrader) Opened(w *wire.Conn)              { w.Upgrade(nil, u.up, u.limit) }
func (u upgrader) Bytes(_ *wire.Conn, b []byte) int { return len(b) }
func (u upgrader) Flush(*wire.Conn)                 {}
func (u upgrader) Secured(*wire.Conn)               {}
func (u upgrader) Closed(*wire.Conn, error)         {}

// socket is a client on a WebSocket.
type socket struct {
	h *harness
	s *Stream
	p *loop.Peer
}

func (h *harness) socket() *socket {
	s := h.sh.NewFramed().(*Stream)
	c := &socket{h, s, h.wire.Pipe(h.group.At(0), upgrader{s, h.sh.FirstMessage()}, false)}
	h.group.Turn()
	return c
}

// say sends messages and returns what comes, a line for each message; close
// frames are not among them.
func (c *socket) say(messages ...string) string {
	var b []byte
	for _, m := range messages {
		b = wire.AppendMessage(b, []byte(m))
	}
	c.p.WriteString(string(b))
	c.h.group.Turn()
	return c.hear()
}

func (c *socket) hear() string {
	var lines []string
	for b := c.p.Read(); len(b) > 0; {
		text, isText, rest := wire.NextFrame(b)
		if isText {
			lines = append(lines, string(text))
		}
		b = rest
	}
	return strings.Join(lines, "\n")
}

const (
	testOpen   = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='test' version='1.0'/>"
	wantClose  = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"
	wantStream = "<stream:error xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
)

// bound is a socket as if juliet had logged in and bound a resource.
func (h *harness) bound(t testing.TB) *socket {
	t.Helper()
	c := h.socket()
	c.say(testOpen)
	c.s.login.user = jid.MustParse("juliet@test")
	c.s.phase = authenticated
	c.s.restart()
	if got := c.say(testOpen); !strings.HasPrefix(got, "<open ") || !strings.Contains(got, "\n<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><bind ") {
		t.Fatalf("after login: %s", got)
	}
	if got := c.say(strings.Replace(testBind, "<iq ", "<iq xmlns='jabber:client' ", 1)); !strings.HasPrefix(got, "<iq xmlns='jabber:client' ") || c.s.phase != bound {
		t.Fatalf("bind: %s", got)
	}
	return c
}

func TestFramedOpening(t *testing.T) {
	c := newHarness(t, 1, drop).socket()
	got := c.say(testOpen)
	open, features, _ := strings.Cut(got, "\n")
	if !strings.HasPrefix(open, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='test' id='") || !strings.HasSuffix(open, " version='1.0' xml:lang='en'/>") {
		t.Errorf("header: %s", open)
	}
	if !strings.HasPrefix(features, "<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><mechanisms ") ||
		strings.Contains(features, "starttls") || strings.Contains(features, "PLUS") || strings.Contains(features, "channel-binding") {
		t.Errorf("features: %s", features)
	}
}

func TestFramedWithoutTLS(t *testing.T) {
	h := newHarness(t, 1, drop)
	h.sh.Config.C2S.RequireTLS = true
	c := h.socket()
	if got := c.say(testOpen); !strings.HasSuffix(got, "\n<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'/>") {
		t.Errorf("features: %s", got)
	}
}

// TestFramedErrors is what ends a stream on a WebSocket, beyond what ends it
// elsewhere.
func TestFramedErrors(t *testing.T) {
	for name, tt := range map[string]struct {
		sent      []string
		condition string
	}{
		"stream header":        {[]string{strings.TrimSuffix(testHeader, ">") + ">"}, "not-well-formed"},
		"closed stream header": {[]string{strings.TrimSuffix(testHeader, ">") + "/>"}, "invalid-namespace"},
		"two elements":         {[]string{testOpen + testOpen}, "not-well-formed"},
		"half an element":      {[]string{"<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'", " to='test' version='1.0'/>"}, "not-well-formed"},
		"other namespace":      {[]string{"<open xmlns='jabber:client' to='test' version='1.0'/>"}, "invalid-namespace"},
		"stanza first":         {[]string{"<message xmlns='jabber:client'/>"}, "invalid-namespace"},
		"open again":           {[]string{testOpen, testOpen}, "bad-format"},
		"unknown host":         {[]string{strings.Replace(testOpen, "'test'", "'nowhere'", 1)}, "host-unknown"},
		"no version":           {[]string{strings.Replace(testOpen, " version='1.0'", "", 1)}, "unsupported-version"},
		"text":                 {[]string{"hello"}, "bad-format"},
		"stanza before login":  {[]string{testOpen, "<message xmlns='jabber:client'/>"}, "not-authorized"},
		"comment":              {[]string{"<!-- x -->"}, "restricted-xml"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newHarness(t, 1, drop).socket()
			got := c.say(tt.sent...)
			if !strings.HasPrefix(got, "<open ") || !strings.Contains(got, wantStream+"<"+tt.condition+" ") || !strings.HasSuffix(got, "\n"+wantClose) || !c.p.Ended() {
				t.Errorf("want %s, got (ended %v)\n%s", tt.condition, c.p.Ended(), got)
			}
		})
	}
}

func TestFramedEmptyMessagesAreIgnored(t *testing.T) {
	c := newHarness(t, 1, drop).socket()
	if got := c.say("", " ", testOpen); !strings.HasPrefix(got, "<open ") {
		t.Errorf("got %s", got)
	}
	n := 0
	c = newHarness(t, 1, func(*feature.Ctx, *stanza.Stanza) feature.Verdict { n++; return feature.Done }).bound(t)
	const one = "<message xmlns='jabber:client' to='juliet@test'/>"
	if got := c.say("", one, "", "\n", one, " "); got != "" || n != 2 || c.p.Ended() {
		t.Errorf("after login: %d of 2 messages, ended %v, got %s", n, c.p.Ended(), got)
	}
}

func TestFramedStanzas(t *testing.T) {
	var heard []string
	h := newHarness(t, 2, func(_ *feature.Ctx, m *stanza.Stanza) feature.Verdict {
		heard = append(heard, string(m.Elem.Child("body", "jabber:client").Text()))
		return feature.Done
	})
	c := h.bound(t)
	long := strings.Repeat("x", 20000) // more than before login
	c.say("<message xmlns='jabber:client' to='juliet@test'><body>a</body></message>", "<message xmlns='jabber:client' to='juliet@test'><body>"+long+"</body></message>")
	if len(heard) != 2 || heard[0] != "a" || heard[1] != long {
		t.Errorf("heard %.100q", heard)
	}
	for sent, want := range map[string]string{
		"<message/>":               "<message xmlns='jabber:client'/>",
		"<message to='a=b>c'/>":    "<message xmlns='jabber:client' to='a=b>c'/>",
		"<message><x y='z'/>":      "<message xmlns='jabber:client'><x y='z'/>",
		"<a xmlns='urn:x' h='1'/>": "<a xmlns='urn:x' h='1'/>",
		"<message to='b' xmlns='jabber:client'><body/></message>":    "<message to='b' xmlns='jabber:client'><body/></message>",
		"<message to=' xmlns=' from=\"xmlns='\"><body/></message>":   "<message xmlns='jabber:client' to=' xmlns=' from=\"xmlns='\"><body/></message>",
		"<message xmlns:x='urn:x'><x:y/></message>":                  "<message xmlns='jabber:client' xmlns:x='urn:x'><x:y/></message>",
		"<presence type='unavailable'><c xmlns='urn:x'/></presence>": "<presence xmlns='jabber:client' type='unavailable'><c xmlns='urn:x'/></presence>",
	} {
		c.s.Write([]byte(sent))
		h.group.Turn()
		if got := c.hear(); got != want {
			t.Errorf("%s goes out as %s, want %s", sent, got, want)
		}
	}
}

func TestFramedEnd(t *testing.T) {
	c := newHarness(t, 1, drop).bound(t)
	if got := c.say(wantClose); got != wantClose || !c.p.Ended() || c.s.sess != nil {
		t.Errorf("ended %v with %s", c.p.Ended(), got)
	}
}

func TestFramedDrainSaysWhereToGo(t *testing.T) {
	for _, other := range []string{"", "wss://other.test/ws"} {
		h := newHarness(t, 1, drop)
		h.sh.Config.HTTP.SeeOther = other
		c := h.bound(t)
		h.sh.Drain()
		h.group.Turn()
		want := strings.Replace(wantClose, "/>", " see-other-uri='"+other+"'/>", 1)
		if other == "" {
			want = wantClose
		}
		if got := c.hear(); !strings.Contains(got, "<system-shutdown ") || !strings.HasSuffix(got, "\n"+want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// BenchmarkRoundTrip is a message in and one out through wire and stream,
// without a socket, over TCP and over a WebSocket.
func BenchmarkRoundTrip(b *testing.B) {
	text := "to='juliet@test' type='chat' id='m1'><body>" + strings.Repeat("x", 200) + "</body></message>"
	out := []byte("<message from='juliet@test/desk' " + text)
	echo := func(c *feature.Ctx, _ *stanza.Stanza) feature.Verdict {
		c.Session.Sink.Write(out)
		return feature.Done
	}
	run := func(b *testing.B, h *harness, p *loop.Peer, in string) {
		b.ReportAllocs()
		for b.Loop() {
			p.WriteString(in)
			h.group.Turn()
			if len(p.Read()) < len(out) {
				b.Fatal("nothing comes back")
			}
		}
	}
	b.Run("TCP", func(b *testing.B) {
		h := newHarness(b, 1, echo)
		_, p := h.bind("juliet@test")
		run(b, h, p, "<message "+text)
	})
	b.Run("WebSocket", func(b *testing.B) {
		h := newHarness(b, 1, echo)
		c := h.bound(b)
		run(b, h, c.p, string(wire.AppendMessage(nil, []byte("<message xmlns='jabber:client' "+text))))
	})
}
