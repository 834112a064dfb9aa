package enginetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/metric"
)

// phone is a client installation that logs in by SASL2 (XEP-0388).
type phone struct {
	t     *testing.T
	w     *remote
	agent string
	c     *client
}

// connect opens another connection.
func (p *phone) connect() {
	p.t.Helper()
	conn, err := p.w.dial(false)
	if err != nil {
		p.t.Fatal(err)
	}
	p.c = &client{host: Domain, pipe: conn, v: vars{}, quiet: p.w.settle, wait: p.w.until}
	if _, err := (&player{world: p.w}).secured(p.c); err != nil {
		p.t.Fatal(err)
	}
}

// login says authenticate and returns the answer.
func (p *phone) login(mechanism, initial, more string) node {
	p.t.Helper()
	p.connect()
	return p.again(mechanism, initial, more)
}

func (p *phone) again(mechanism, initial, more string) node {
	p.t.Helper()
	p.c.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + mechanism + "'><initial-response>" +
		base64.StdEncoding.EncodeToString([]byte(initial)) + "</initial-response><user-agent id='" + p.agent + "'/>" + more + "</authenticate>")
	n, err := p.c.take()
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// fast logs in by token.
func (p *phone) fast(mechanism, token, more string) node {
	p.t.Helper()
	p.connect()
	var binding []byte
	if mechanism == "HT-SHA-256-EXPR" {
		st := p.c.pipe.(*netPipe).nc.(*tls.Conn).ConnectionState()
		binding, _ = st.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	}
	n := p.again(mechanism, "romeo\x00"+string(mac(token, "Initiator", binding)), "<fast xmlns='urn:xmpp:fast:0'"+more+"/>")
	if succeeded(n) {
		want := base64.StdEncoding.EncodeToString(mac(token, "Responder", binding))
		if got := textOf(n, "additional-data"); got != want {
			p.t.Errorf("the server proves %q, want %q", got, want)
		}
	}
	return n
}

func mac(token, role string, binding []byte) []byte {
	h := hmac.New(sha256.New, []byte(token))
	h.Write([]byte(role))
	h.Write(binding)
	return h.Sum(nil)
}

func succeeded(n node) bool { return strings.HasSuffix(n.name, "}success") }

func textOf(n node, child string) string {
	for _, k := range n.kids {
		if strings.HasSuffix(k.name, "}"+child) && len(k.kids) > 0 {
			return k.kids[0].text
		}
	}
	return ""
}

// tokenOf returns the token that came with a login, "" if none.
func tokenOf(n node) string {
	for _, k := range n.kids {
		if k.name == "{urn:xmpp:fast:0}token" {
			return k.attrs["token"]
		}
	}
	return ""
}

func (p *phone) refused(n node, condition string) {
	p.t.Helper()
	if succeeded(n) || !strings.Contains(n.String(), "}"+condition) {
		p.t.Errorf("got:\n%swant %s", n, condition)
	}
}

const byPassword = "\x00romeo\x00secret"

func wanted(mechanism string) string {
	return "<request-token xmlns='urn:xmpp:fast:0' mechanism='" + mechanism + "'/>"
}

// XEP-0484: a token is for one client, one mechanism and some time; it is
// replaced, revoked, and ends with the password.
func TestTokens(t *testing.T) {
	addr := serve(t, func(c *config.Config) { c.Limits.LoginFailuresPerAddress = 0 })
	p := &phone{t: t, w: &remote{t: t, addr: addr}, agent: "d4565fa7-4d72-4749-b3d3-740edbf87770"}
	const none, expr = "HT-SHA-256-NONE", "HT-SHA-256-EXPR"

	first := tokenOf(p.login("PLAIN", byPassword, wanted(expr)))
	if first == "" {
		t.Fatal("no token came")
	}
	for range 2 {
		if n := p.fast(expr, first, ""); !succeeded(n) || tokenOf(n) != "" {
			t.Fatalf("got:\n%swant success without a new token", n)
		}
	}
	p.refused(p.fast(expr, "another", ""), "not-authorized")
	p.refused(p.fast(none, first, ""), "not-authorized") // §3.4: the mechanism is part of it
	p.refused(p.login(none, "nobody\x00"+string(mac(first, "Initiator", nil)), "<fast xmlns='urn:xmpp:fast:0'/>"), "not-authorized")
	p.refused(p.login(none, "romeo", "<fast xmlns='urn:xmpp:fast:0'/>"), "malformed-request")
	p.refused(p.login(expr, "romeo\x00x", ""), "invalid-mechanism") // no <fast/>
	tablet := &phone{t: t, w: p.w, agent: "another"}
	tablet.refused(tablet.fast(expr, first, ""), "not-authorized")

	// A new token ends the old one once it is used (§3.5).
	second := tokenOf(p.login("PLAIN", byPassword, wanted(none)))
	if n := p.fast(expr, first, ""); !succeeded(n) {
		t.Errorf("a token is gone before the next one was used: %s", n)
	}
	if n := p.fast(none, second, ""); !succeeded(n) {
		t.Errorf("the second token: %s", n)
	}
	p.refused(p.fast(expr, first, ""), "not-authorized")

	// The client ends it (§3.6).
	if n := p.fast(none, second, " invalidate='true'"); !succeeded(n) || tokenOf(n) != "" {
		t.Errorf("got:\n%s", n)
	}
	p.refused(p.fast(none, second, ""), "not-authorized")
	if metric.Snapshot()["meerkat_auth_token_logins_total"] < 5 {
		t.Error("logins by token are not counted")
	}
}

// A token ends with the password it came by, and at the operator's word.
func TestTokensRevoked(t *testing.T) {
	m := newEngine(t)
	if err := m.account("romeo@"+Domain, password); err != nil {
		t.Fatal(err)
	}
	login := func(mechanism, initial, more string) node {
		conn, err := m.dial(false)
		if err != nil {
			t.Fatal(err)
		}
		c := &client{host: Domain, pipe: conn, v: vars{}, quiet: m.settle, wait: m.until}
		if _, err := c.open(); err != nil {
			t.Fatal(err)
		}
		if _, err := (&player{world: m}).secure(c); err != nil {
			t.Fatal(err)
		}
		c.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='" + mechanism + "'><initial-response>" +
			base64.StdEncoding.EncodeToString([]byte(initial)) + "</initial-response><user-agent id='a'/>" + more + "</authenticate>")
		n, err := c.take()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const none = "HT-SHA-256-NONE"
	fast := func(token string) node {
		return login(none, "romeo\x00"+string(mac(token, "Initiator", nil)), "<fast xmlns='urn:xmpp:fast:0'/>")
	}
	token := tokenOf(login("PLAIN", byPassword, wanted(none)))

	// Half its life is over: it is replaced, and then used up (§3.5).
	m.sleep(8 * 24 * time.Hour)
	next := tokenOf(fast(token))
	if next == "" || next == token {
		t.Fatalf("no new token after half the life of the old one: %q", next)
	}
	if n := fast(next); !succeeded(n) {
		t.Errorf("the new token: %s", n)
	}
	if n := fast(token); succeeded(n) {
		t.Error("the old token is good after the new one was used")
	}
	m.sleep(15 * 24 * time.Hour)
	if n := fast(next); !strings.Contains(n.String(), "}credentials-expired") {
		t.Errorf("an expired token: %s", n)
	}

	for what, end := range map[string]func() error{
		"revoked":           func() error { return m.server.Accounts().Revoke("romeo@" + Domain) },
		"password changed":  func() error { return m.server.Accounts().SetPassword("romeo@"+Domain, password) },
		"removed and added": func() error { return m.readd("romeo@" + Domain) },
	} {
		token := tokenOf(login("PLAIN", byPassword, wanted(none)))
		if n := fast(token); !succeeded(n) {
			t.Errorf("before: %s", n)
		}
		if err := m.while(end); err != nil {
			t.Fatal(err)
		}
		if n := fast(token); succeeded(n) {
			t.Errorf("%s: the token is good", what)
		}
	}
}

// while turns the server until fn has returned.
func (m *memory) while(fn func() error) (err error) {
	done := make(chan struct{})
	go func() { err = fn(); close(done) }()
	m.until(func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	return err
}

func (m *memory) readd(bare string) error {
	if err := m.server.Accounts().Remove(bare); err != nil {
		return err
	}
	return m.server.Accounts().Add(bare, password)
}
