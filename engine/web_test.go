package engine

import (
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/loop"
	"meerkat/engine/wire"
	"meerkat/store"
)

// webHost is a server in memory that clients reach through a proxy that ends
// TLS, on loopback.
type webHost struct {
	t *testing.T
	g *loop.Group
	s *Server
	n int
}

func newWebHost(t *testing.T) *webHost {
	t.Helper()
	cfg := config.Default()
	cfg.Domains = []string{"test"}
	cfg.HTTP.Listen, cfg.HTTP.Proxies = []string{":0"}, []string{"127.0.0.1"}
	cfg.Limits.ScramIterations = auth.MinIterations
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(store.Options{Dir: t.TempDir(), Logger: quiet, MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	h := &webHost{t: t, g: loop.NewManual(2, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	h.s, err = New(cfg, Options{Store: st, Group: h.g, Logger: quiet, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.s.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, user := range []string{"romeo@test", "juliet@test"} {
		if err := OpenAccounts(st, cfg).Add(user, "secret"); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// webClient is a client on a WebSocket.
type webClient struct {
	*webHost
	p   *loop.Peer
	got string
}

const webHandshake = "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n"

// login returns a client that has a stream after login.
func (h *webHost) login(user string) *webClient {
	h.t.Helper()
	h.n++
	c := &webClient{webHost: h, p: h.s.PipeHTTP(h.g.At(h.n%h.g.Len()), false)}
	c.p.WriteString(webHandshake)
	var answer string
	h.g.TurnUntil(func() bool { answer += c.p.ReadString(); return strings.HasSuffix(answer, "\r\n\r\n") })
	if !strings.HasPrefix(answer, "HTTP/1.1 101 ") {
		h.t.Fatalf("handshake: %s", answer)
	}
	open := "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='test' version='1.0'/>"
	c.say(open, "</stream:features>")
	c.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"+
		base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00secret"))+"</auth>", "<success ")
	c.say(open, "</stream:features>")
	return c
}

// bind is login with a resource.
func (h *webHost) bind(user string) *webClient {
	h.t.Helper()
	c := h.login(user)
	c.say("<iq xmlns='jabber:client' type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>web</resource></bind></iq>",
		"<jid>"+user+"@test/web</jid>")
	return c
}

// say sends a message and waits for an answer that has want in it.
func (c *webClient) say(message, want string) string {
	c.t.Helper()
	c.send(message)
	return c.hear(want)
}

func (c *webClient) send(message string) {
	c.p.WriteString(string(wire.AppendMessage(nil, []byte(message))))
	c.g.Turn()
}

// hear waits for a message that has want in it, and drops those before it.
func (c *webClient) hear(want string) string {
	c.t.Helper()
	found := ""
	ok := c.g.TurnUntil(func() bool {
		for b := c.p.Read(); len(b) > 0; {
			text, isText, rest := wire.NextFrame(b)
			if isText {
				c.got += string(text) + "\n"
			}
			b = rest
		}
		for line, rest, more := strings.Cut(c.got, "\n"); more; line, rest, more = strings.Cut(rest, "\n") {
			if strings.Contains(line, want) {
				found, c.got = line, rest
				return true
			}
		}
		return false
	})
	if !ok {
		c.t.Fatalf("nothing with %s came, but %q", want, c.got)
	}
	return found
}

func message(to, body string) string {
	return "<message xmlns='jabber:client' type='chat' to='" + to + "'><body>" + body + "</body></message>"
}

// TestResumeOverWebSocket: what was sent to a client while its WebSocket was
// gone comes over the next one (XEP-0198 §5), each stanza as a message.
func TestResumeOverWebSocket(t *testing.T) {
	h := newWebHost(t)
	romeo, juliet := h.bind("romeo"), h.bind("juliet")
	enabled := juliet.say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>", "<enabled ")
	id := regexp.MustCompile(`\sid='([^']*)'`).FindStringSubmatch(enabled)
	if id == nil {
		t.Fatalf("no id in %s", enabled)
	}
	juliet.say("<presence xmlns='jabber:client'/>", "<presence ")
	romeo.send(message("juliet@test/web", "one"))
	if got := juliet.hear("<body>one</body>"); !strings.HasPrefix(got, "<message xmlns='jabber:client' ") {
		t.Errorf("got %s", got)
	}
	juliet.p.Close()
	h.g.Turn()
	romeo.send(message("juliet@test/web", "two"))

	juliet = h.login("juliet")
	juliet.say("<resume xmlns='urn:xmpp:sm:3' previd='"+id[1]+"' h='0'/>", "<resumed xmlns='urn:xmpp:sm:3'")
	for _, body := range []string{"one", "two"} { // one was never acknowledged
		if got := juliet.hear("<message "); !strings.HasPrefix(got, "<message xmlns='jabber:client' ") || !strings.Contains(got, "<body>"+body+"</body>") {
			t.Errorf("want %s, got %s", body, got)
		}
	}
	juliet.send(message("romeo@test/web", "back"))
	romeo.hear("<body>back</body>")
}
