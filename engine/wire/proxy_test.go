package wire

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"meerkat/engine/loop"
)

// proxyHeader is a header of the PROXY protocol.
func proxyHeader(command, family byte, body string) string {
	b := append([]byte(proxySignature), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return string(b) + body
}

const (
	from4 = "\xcb\x00\x71\x09\x7f\x00\x00\x01\x30\x39\x14\x66"                                                           // 203.0.113.9
	from6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" + "0123456789abcdef" + "\x30\x39\x14\x66" // 2001:db8::7
	overs = "\x20\x00\x05\x01\x00\x00\x00\x00"
)

func proxied(t testing.TB, proxies ...string) (*loop.Group, *Server) {
	g, s := memory(t, 1, Options{PerAddress: 2})
	var list []netip.Prefix
	for _, p := range proxies {
		list = append(list, netip.MustParsePrefix(p))
	}
	return g, s.With(s.opt.TLS, list)
}

func TestProxyProtocol(t *testing.T) {
	for name, tt := range map[string]struct {
		sent, addr, heard string
		secure            bool
		closed            bool
	}{
		"TCP4":            {sent: proxyHeader(0x21, 0x11, from4) + "hi", addr: "203.0.113.9", heard: "opened|hi|"},
		"TCP6":            {sent: proxyHeader(0x21, 0x21, from6) + "hi", addr: "2001:db8::7", heard: "opened|hi|"},
		"TLS in front":    {sent: proxyHeader(0x21, 0x11, from4+overs) + "hi", addr: "203.0.113.9", heard: "opened|hi|", secure: true},
		"bad extension":   {sent: proxyHeader(0x21, 0x11, from4+"\x20\xff\xff") + "hi", addr: "203.0.113.9", heard: "opened|hi|"},
		"health check":    {sent: proxyHeader(0x20, 0, "") + "hi", addr: "127.0.0.1", heard: "opened|hi|"},
		"Unix socket":     {sent: proxyHeader(0x21, 0x31, strings.Repeat("x", 216)) + "hi", addr: "127.0.0.1", heard: "opened|hi|"},
		"none":            {sent: "hi", addr: "127.0.0.1", heard: "opened|hi|"},
		"almost one":      {sent: "\r\n\r\nhi", addr: "127.0.0.1", heard: "opened|\r\n\r\nhi|"},
		"version 1":       {sent: proxyHeader(0x11, 0x11, from4), closed: true},
		"unknown command": {sent: proxyHeader(0x22, 0x11, from4), closed: true},
		"too short":       {sent: proxyHeader(0x21, 0x11, from4[:11]), closed: true},
		"too long":        {sent: proxyHeader(0x21, 0x11, from4+strings.Repeat("x", maxProxy)), closed: true},
	} {
		for _, step := range []int{1000, 1} {
			g, s := proxied(t, "127.0.0.0/8")
			up := &scribe{}
			p := s.Pipe(g.At(0), up, false)
			for rest := tt.sent; rest != ""; {
				n := min(step, len(rest))
				p.WriteString(rest[:n])
				rest = rest[n:]
				g.Turn()
			}
			if tt.closed {
				if !p.Ended() || up.heard.Len() > 0 {
					t.Errorf("%s: ended %v, heard %q", name, p.Ended(), up.heard.String())
				}
				continue
			}
			if got := strings.ReplaceAll(up.heard.String(), "|", ""); got != strings.ReplaceAll(tt.heard, "|", "") {
				t.Errorf("%s in pieces of %d: heard %q", name, step, got)
			}
			if up.w == nil || up.w.Remote().String() != tt.addr || up.w.Secure() != tt.secure {
				t.Errorf("%s: at %v, secure %v", name, up.w.Remote(), up.w.Secure())
			}
		}
	}
}

func TestProxyProtocolOnlyFromListed(t *testing.T) {
	g, s := proxied(t, "192.0.2.0/24")
	up := &scribe{}
	s.Pipe(g.At(0), up, false).WriteString(proxyHeader(0x21, 0x11, from4))
	g.Turn()
	if up.w.Remote().String() != "127.0.0.1" || !strings.Contains(up.heard.String(), "QUIT") {
		t.Errorf("a stranger is taken for %v", up.w.Remote())
	}
}

func TestProxyHeaderThatDoesNotEnd(t *testing.T) {
	g, s := proxied(t, "127.0.0.0/8")
	up := &scribe{}
	p := s.Pipe(g.At(0), up, false)
	p.WriteString(proxySignature)
	g.Advance(s.opt.Handshake + loop.Tick)
	if !p.Closed() || up.err != ErrHandshake {
		t.Errorf("closed %v with %v", p.Closed(), up.err)
	}
}

// TestClientsOfAProxyAreCounted has each client behind a proxy count by its own
// address, and the proxy itself by none.
func TestClientsOfAProxyAreCounted(t *testing.T) {
	g, s := proxied(t, "127.0.0.0/8")
	proxy := netip.MustParseAddr("127.0.0.1")
	var ups []*scribe
	for range 4 {
		if v := s.gate.enter(proxy); v != letIn {
			t.Fatalf("the proxy is refused: %v", v)
		}
		up := &scribe{}
		ups = append(ups, up)
		w := s.newConn(up, false)
		w.flags |= counted
		g.Pipe(g.At(0), w).WriteString(proxyHeader(0x21, 0x11, from4) + "hi")
		g.Turn()
	}
	for i, up := range ups {
		if want := i >= 2; up.ended != want {
			t.Errorf("connection %d of 4, with 2 allowed: closed %v", i, up.ended)
		}
	}
	ups[0].w.Close()
	ups[1].w.Authenticated()
	g.Advance(10 * linger)
	if n := s.gate.inAll(); n != 0 || len(s.gate.count) != 0 {
		t.Errorf("%d are counted when nobody is left: %v", n, s.gate.count)
	}
}

const linger = 1e9
