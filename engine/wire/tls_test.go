package wire

import (
	"bytes"
	ctls "crypto/tls"
	"io"
	"strings"
	"testing"
	"time"

	"meerkat/engine/loop"
)

// starter is an Upper that answers "starttls" and then echoes.
func starter() *scribe {
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int {
		if bytes.HasPrefix(in, []byte("starttls")) {
			w.Write([]byte("proceed"))
			w.StartTLS()
			return len("starttls")
		}
		w.Write(in)
		return len(in)
	}
	return up
}

// secureClient does a client's handshake over p.
func secureClient(t testing.TB, g *loop.Group, p *loop.Peer, version uint16) *ctls.Conn {
	t.Helper()
	cfg := clientConfig.Clone()
	cfg.MinVersion, cfg.MaxVersion = version, version
	c := ctls.Client(&peerConn{g: g, p: p}, cfg)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

func say(t testing.TB, c io.ReadWriter, msg string) {
	t.Helper()
	if _, err := io.WriteString(c, msg); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(msg))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != msg {
		t.Fatalf("echo of %d bytes: %d differ, err %v", len(msg), len(got), err)
	}
}

func TestStartTLSThenBytesInside(t *testing.T) {
	for _, version := range []uint16{ctls.VersionTLS12, ctls.VersionTLS13} {
		g, s := memory(t, 1, Options{})
		up := starter()
		p := s.Pipe(g.At(0), up, false)
		p.WriteString("starttls")
		g.Turn()
		if got := p.ReadString(); got != "proceed" {
			t.Fatalf("client got %q", got)
		}
		c := secureClient(t, g, p, version)
		say(t, c, "hello")
		up.want(t, "opened|starttls|secured|hello|")
		say(t, c, strings.Repeat("0123456789abcdef", 10_000)) // many records
		if st := up.w.TLS(); st == nil || st.Version != version || !up.w.Secure() {
			t.Errorf("TLS state %+v, want version %x", st, version)
		}
	}
}

func TestBytesBehindStartTLSAreDroppedAndCounted(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := starter()
	p := s.Pipe(g.At(0), up, false)
	before := dropped.Value()
	p.WriteString("starttls<auth>injected</auth>")
	g.Turn()
	if got := dropped.Value() - before; got != uint64(len("<auth>injected</auth>")) {
		t.Errorf("%d bytes counted as dropped", got)
	}
	p.Read()
	say(t, secureClient(t, g, p, ctls.VersionTLS13), "hello")
	up.want(t, "opened|starttls|secured|hello|")
}

func TestDirectTLSOpensAfterTheHandshake(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := starter()
	p := s.Pipe(g.At(0), up, true)
	g.Turn()
	up.want(t, "")
	say(t, secureClient(t, g, p, ctls.VersionTLS13), "hello")
	up.want(t, "opened|hello|")
}

func TestRecordsCutAnywhereArrive(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	p := s.Pipe(g.At(0), up, true)
	c := secureClient(t, g, p, ctls.VersionTLS13)
	g.TurnUntil(func() bool { return up.w != nil })
	up.want(t, "opened|")
	var records []byte
	c.NetConn().(*peerConn).tap = func(b []byte) { records = append(records, b...) }
	_, _ = c.Write([]byte("first "))
	_, _ = c.Write([]byte("second"))
	for i := range records {
		_, _ = p.Write(records[i : i+1])
		g.Turn()
	}
	if got := strings.ReplaceAll(up.heard.String(), "|", ""); got != "first second" {
		t.Errorf("upper heard %q", got)
	}
	if up.w.raw != nil {
		t.Error("a piece of a record is kept though there is none")
	}
}

func TestCloseSaysCloseNotify(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { w.Write([]byte("bye")); w.Close(); return len(in) }
	p := s.Pipe(g.At(0), up, true)
	c := secureClient(t, g, p, ctls.VersionTLS13)
	_, _ = c.Write([]byte("x"))
	got, err := io.ReadAll(c)
	if string(got) != "bye" || err != nil {
		t.Errorf("client read %q, %v; want bye and a clean end", got, err)
	}
}

func TestClientsCloseNotifyEndsTheConnectionBehindItsBytes(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	up.bytes = func(w *Conn, in []byte) int { w.Yield(); return 1 }
	p := s.Pipe(g.At(0), up, true)
	c := secureClient(t, g, p, ctls.VersionTLS13)
	_, _ = c.Write([]byte("abc"))
	_ = c.CloseWrite()
	g.TurnUntil(p.Ended)
	up.want(t, "opened|a|b|c|")
	p.Close()
	g.Turn()
	if up.err != io.EOF {
		t.Errorf("closed with %v, want EOF", up.err)
	}
}

func TestGarbageForTLSIsAlertedAndClosed(t *testing.T) {
	g, s := memory(t, 1, Options{})
	up := &scribe{}
	p := s.Pipe(g.At(0), up, true)
	p.WriteString("GET / HTTP/1.1\r\n\r\n")
	g.TurnUntil(p.Ended)
	if got := p.Read(); len(got) != 7 || got[0] != 21 {
		t.Errorf("client got % x, want an alert", got)
	}
	p.Close()
	g.Turn()
	if !up.ended || up.err == nil || up.err == io.EOF {
		t.Errorf("closed %v with %v, want an error of TLS", up.ended, up.err)
	}
	up.want(t, "")
}

func TestHandshakeThatDoesNotEndIsClosed(t *testing.T) {
	g, s := memory(t, 1, Options{})
	direct, start := &scribe{}, starter()
	s.Pipe(g.At(0), direct, true)
	p := s.Pipe(g.At(0), start, false)
	p.WriteString("starttls")
	g.Turn()
	p.Write([]byte{22, 3, 1, 0, 200, 1})
	g.Advance(31 * time.Second)
	if direct.err != ErrHandshake || start.err != ErrHandshake {
		t.Errorf("closed with %v and %v, want ErrHandshake", direct.err, start.err)
	}
}

func TestTLSSessionMovesBetweenLoops(t *testing.T) {
	g, s := memory(t, 3, Options{})
	up := &scribe{}
	n := 0
	up.bytes = func(w *Conn, in []byte) int {
		w.Write(in[:1])
		n++
		w.Move(g.At(n%3), func() {})
		return 1
	}
	p := s.Pipe(g.At(0), up, true)
	c := secureClient(t, g, p, ctls.VersionTLS13)
	msg := strings.Repeat("abcdefghij", 20)
	say(t, c, msg)
	if n != len(msg) {
		t.Errorf("moved %d times, want %d", n, len(msg))
	}
}
