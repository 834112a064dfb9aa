package web

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/loop"
)

const handshake = "GET /ws HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, xmpp\r\n\r\n"

// frame is "<a/>" in a frame with an empty mask.
const frame = "\x81\x84\x00\x00\x00\x00<a/>"

func TestUpgrade(t *testing.T) {
	s := newSite(t, nil)
	p := s.dial()
	got := s.ask(p, handshake)
	for _, want := range []string{
		"HTTP/1.1 101 ", "\r\nUpgrade: websocket\r\n", "\r\nConnection: Upgrade\r\n",
		"\r\nSec-WebSocket-Protocol: xmpp\r\n", "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("answer has no %q:\n%s", want, got)
		}
	}
	p.WriteString(frame)
	s.g.Turn()
	if got := p.ReadString(); got != "\x81\x04<a/>" {
		t.Errorf("the stream says %q", got)
	}
	p.Close()
	s.g.Turn()
	if !s.last.over {
		t.Error("the stream does not hear that the client is gone")
	}
}

func TestUpgradeWithFramesBehind(t *testing.T) {
	s := newSite(t, nil)
	p := s.dial()
	if got := s.ask(p, handshake+frame); !strings.HasSuffix(got, "\x81\x04<a/>") {
		s.g.Turn()
		if got += p.ReadString(); !strings.HasSuffix(got, "\x81\x04<a/>") {
			t.Errorf("got %q", got)
		}
	}
}

func TestUpgradeRefused(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(handshake, old, new, 1) }
	for name, tt := range map[string]struct{ request, status, has string }{
		"POST":               {with("GET", "POST"), "405", "Allow: GET\r\n"},
		"no upgrade":         {with("Upgrade: websocket\r\n", ""), "426", "Upgrade: websocket\r\n"},
		"other upgrade":      {with("Upgrade: websocket", "Upgrade: h2c"), "426", ""},
		"no connection":      {with("keep-alive, Upgrade", "keep-alive"), "426", ""},
		"HTTP/1.0":           {with("HTTP/1.1", "HTTP/1.0"), "426", ""},
		"HTTP/2":             {with("HTTP/1.1", "HTTP/2.0"), "505", ""},
		"no version":         {with("Sec-WebSocket-Version: 13\r\n", ""), "426", "Sec-WebSocket-Version: 13\r\n"},
		"version 8":          {with("Version: 13", "Version: 8"), "426", "Sec-WebSocket-Version: 13\r\n"},
		"no key":             {with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), "400", ""},
		"short key":          {with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j"), "400", ""},
		"long key":           {with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSAg"), "400", ""},
		"key no base64":      {with("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q=="), "400", ""},
		"no subprotocol":     {with("Sec-WebSocket-Protocol: chat, xmpp\r\n", ""), "400", "xmpp"},
		"other subprotocol":  {with("chat, xmpp", "chat, xmpp2"), "400", ""},
		"with a body":        {with("Host: test", "Host: test\r\nContent-Length: 3") + "abc", "400", ""},
		"origin not allowed": {with("Host: test", "Host: test\r\nOrigin: https://evil.example"), "403", ""},
		"origin null":        {with("Host: test", "Host: test\r\nOrigin: null"), "403", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(h *config.HTTP) { h.Origins = []string{"https://good.example"} })
			p := s.dial()
			got := s.ask(p, tt.request)
			s.g.Turn()
			if status(got) != tt.status || !strings.Contains(got, tt.has) || !p.Ended() {
				t.Errorf("want %s with %q, and the end: got (ended %v)\n%s", tt.status, tt.has, p.Ended(), got)
			}
			if s.last != nil {
				t.Error("there is a stream")
			}
		})
	}
}

func TestOriginAllowed(t *testing.T) {
	for _, origin := range []string{"https://good.example", "https://test", "http://TEST"} {
		s := newSite(t, func(h *config.HTTP) { h.Origins = []string{"https://good.example/"} })
		if got := s.ask(s.dial(), strings.Replace(handshake, "Host: test", "Host: test\r\nOrigin: "+origin, 1)); status(got) != "101" {
			t.Errorf("%s: got %s", origin, got)
		}
	}
}

// TestHeads is what a strict reader of requests refuses (RFC 9112).
func TestHeads(t *testing.T) {
	long := strings.Repeat("x", 16<<10)
	for name, tt := range map[string]struct{ request, status string }{
		"good":                      {"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc", "200"},
		"empty line before":         {"\r\nGET /echo HTTP/1.1\r\nHost: test\r\n\r\n", "200"},
		"unknown path":              {"GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n", "404"},
		"length and encoding":       {"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"encoding and length":       {"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "400"},
		"encoding alone":            {"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "411"},
		"encoding in HTTP/1.0":      {"POST /echo HTTP/1.0\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"two lengths":               {"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"},
		"list of lengths":           {"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3, 3\r\n\r\nabc", "400"},
		"signed length":             {"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: +3\r\n\r\nabc", "400"},
		"negative length":           {"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: -3\r\n\r\nabc", "400"},
		"empty length":              {"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length:\r\n\r\n", "400"},
		"length beyond 63 bits":     {"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 9223372036854775808\r\n\r\n", "400"},
		"no host":                   {"GET /echo HTTP/1.1\r\n\r\n", "400"},
		"two hosts":                 {"GET /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		"folded field":              {"GET /echo HTTP/1.1\r\nHost: test\r\nX: a\r\n b\r\n\r\n", "400"},
		"blank before colon":        {"GET /echo HTTP/1.1\r\nHost : test\r\n\r\n", "400"},
		"no colon":                  {"GET /echo HTTP/1.1\r\nHost: test\r\nnonsense\r\n\r\n", "400"},
		"lone LF":                   {"GET /echo HTTP/1.1\r\nHost: test\nX: y\r\n\r\n", "400"},
		"lone CR":                   {"GET /echo HTTP/1.1\r\nHost: test\rX: y\r\n\r\n", "400"},
		"NUL":                       {"GET /echo HTTP/1.1\r\nHost: te\x00st\r\n\r\n", "400"},
		"blank in target":           {"GET /a b HTTP/1.1\r\nHost: test\r\n\r\n", "505"},
		"control in target":         {"GET /a\x01 HTTP/1.1\r\nHost: test\r\n\r\n", "400"},
		"no version":                {"GET /echo\r\nHost: test\r\n\r\n", "505"},
		"not HTTP":                  {"<stream:stream to='test'>\r\n\r\n", "400"},
		"TLS in clear":              {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
		"head too large":            {"GET /echo HTTP/1.1\r\nHost: test\r\nX: " + long + "\r\n\r\n", "431"},
		"head that never ends":      {"GET /echo HTTP/1.1\r\nX: " + long, "431"},
		"too many fields":           {"GET /echo HTTP/1.1\r\nHost: test\r\n" + strings.Repeat("X: y\r\n", 100) + "\r\n", "431"},
		"field name is no token":    {"GET /echo HTTP/1.1\r\nHost: test\r\nX(y): z\r\n\r\n", "400"},
		"path leaves the directory": {"GET /../../etc/passwd HTTP/1.1\r\nHost: test\r\n\r\n", "307"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, step := range []int{len(tt.request), 7, 1} {
				if step == 1 && len(tt.request) > 1000 {
					continue
				}
				s := newSite(t, nil)
				p := s.dial()
				for rest := tt.request; rest != "" && !p.Ended(); {
					n := min(step, len(rest))
					p.WriteString(rest[:n])
					rest = rest[n:]
					s.g.Turn()
				}
				if got := s.answer(p); status(got) != tt.status {
					t.Errorf("in pieces of %d: want %s, got\n%s", step, tt.status, got)
				}
			}
		})
	}
}

func TestKeepAliveAndPipelining(t *testing.T) {
	s := newSite(t, nil)
	p := s.dial()
	post := "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"
	for range 3 {
		if got := s.ask(p, post); !strings.HasSuffix(got, "POST 127.0.0.1:0 3 <nil>") {
			t.Fatalf("got %s", got)
		}
	}
	p.WriteString(post + post + "GET /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
	var all strings.Builder
	if !s.g.TurnUntil(func() bool { all.Write(p.Read()); return p.Ended() }) {
		t.Fatal("the connection does not end")
	}
	if got := all.String(); strings.Count(got, "POST 127.0.0.1:0 3") != 2 || !strings.HasSuffix(got, "GET 127.0.0.1:0 0 <nil>") {
		t.Errorf("got %s", got)
	}
}

// TestUpgradeOnUsedConnection is what proxies do that keep connections open.
func TestUpgradeOnUsedConnection(t *testing.T) {
	s := newSite(t, nil)
	p := s.dial()
	s.ask(p, "GET /echo HTTP/1.1\r\nHost: test\r\n\r\n")
	s.g.Advance(30 * time.Second)
	if got := s.ask(p, handshake); status(got) != "101" {
		t.Fatalf("got %s", got)
	}
	if age := s.last.w.Age(); age != 0 {
		t.Errorf("the new stream is %v old", age)
	}
	p.WriteString(frame)
	if !s.g.TurnUntil(func() bool { return p.ReadString() == "\x81\x04<a/>" }) {
		t.Error("the stream is silent")
	}
	time.Sleep(10 * time.Millisecond) // net/http lets go
	s.g.Turn()
	if p.Ended() {
		t.Error("net/http has closed the connection")
	}
}

func TestSlowHead(t *testing.T) {
	s := newSite(t, nil)
	silent, slow := s.dial(), s.dial()
	slow.WriteString("GET /echo HTTP/1.1\r\n")
	s.g.Advance(6 * time.Second)
	slow.WriteString("X: y\r\n")
	s.g.Advance(5 * time.Second)
	if got := slow.ReadString(); status(got) != "408" || !slow.Ended() {
		t.Errorf("slow: ended %v with %q", slow.Ended(), got)
	}
	if got := silent.ReadString(); got != "" || !silent.Ended() {
		t.Errorf("silent: ended %v with %q", silent.Ended(), got)
	}
}

func TestSlowBody(t *testing.T) {
	s := newSite(t, nil)
	p := s.dial()
	p.WriteString("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n")
	for range 7 {
		p.WriteString("x")
		s.g.Advance(10 * time.Second)
	}
	if !p.Closed() {
		t.Error("a body that trickles in is waited for")
	}
}

func TestIdleConnectionEnds(t *testing.T) {
	s := newSite(t, nil)
	up := s.web.NewUpper().(*conn)
	p := s.wire.Pipe(s.g.At(0), up, false)
	s.ask(p, "GET /echo HTTP/1.1\r\nHost: test\r\n\r\n")
	s.g.TurnUntil(func() bool { return up.state == reading })
	s.g.Advance(50 * time.Second)
	if p.Ended() {
		t.Fatal("ended too soon")
	}
	s.g.Advance(11 * time.Second)
	if !p.Ended() {
		t.Error("not ended")
	}
}

func TestLargeBodiesBothWays(t *testing.T) {
	s := newSite(t, nil)
	const size = 3 << 20
	s.web.Handle("/large", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, n))
	}))
	up := s.web.NewUpper().(*conn)
	p := s.wire.Pipe(s.g.At(0), up, false)
	p.WriteString("PUT /large HTTP/1.1\r\nHost: test\r\nContent-Length: 3145728\r\nConnection: close\r\n\r\n")
	p.WriteString(strings.Repeat("x", size))
	p.StopReading()
	most, looks := 0, 0
	s.g.TurnUntil(func() bool {
		s.g.Advance(loop.Tick / 100)
		time.Sleep(time.Millisecond)
		if most = max(most, up.w.Backlog()); most > 0 {
			looks++
		}
		return looks > 100
	})
	if most == 0 || most > 2*window {
		t.Errorf("%d bytes waited for a client that does not read, want at most about %d", most, window)
	}
	p.StartReading()
	got := 0
	s.g.TurnUntil(func() bool { got += len(p.Read()); s.g.Advance(loop.Tick); return p.Ended() })
	got += len(p.Read())
	if got < size {
		t.Errorf("got %d bytes of %d", got, size)
	}
}

func TestForwardedOnlyByTrusted(t *testing.T) {
	get := "GET /echo HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.1.2.3\r\n\r\n"
	for _, tt := range []struct {
		proxies []string
		want    string
	}{
		{nil, "127.0.0.1:0"},
		{[]string{"192.0.2.0/24"}, "127.0.0.1:0"},
		{[]string{"127.0.0.1"}, "10.1.2.3:0"},
		{[]string{"127.0.0.0/8", "10.0.0.0/8"}, "203.0.113.9:0"},
	} {
		s := newSite(t, func(h *config.HTTP) { h.Proxies = tt.proxies })
		if got := body(s.ask(s.dial(), get)); got != "GET "+tt.want+" 0 <nil>" {
			t.Errorf("proxies %v: %s, want %s", tt.proxies, got, tt.want)
		}
	}
}

func TestForwardedWebSocket(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		s := newSite(t, func(h *config.HTTP) {
			if trusted {
				h.Proxies = []string{"127.0.0.1"}
			}
		})
		s.ask(s.dial(), strings.Replace(handshake, "Host: test", "Host: test\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https", 1))
		if got := s.last.w.Remote().String() == "203.0.113.9"; got != trusted {
			t.Errorf("trusted %v: the client is at %v", trusted, s.last.w.Remote())
		}
		if s.last.w.Secure() != trusted {
			t.Errorf("trusted %v: secure %v", trusted, s.last.w.Secure())
		}
	}
}

func TestHostMeta(t *testing.T) {
	s := newSite(t, nil)
	get := func(path string) string {
		return s.ask(s.dial(), "GET "+path+" HTTP/1.1\r\nHost: other.test:1234\r\n\r\n")
	}
	answer := get("/.well-known/host-meta")
	want := "<?xml version='1.0' encoding='utf-8'?><XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>" +
		"<Link rel='urn:xmpp:alt-connections:websocket' href='wss://other.test:5443/ws'/>" +
		"<Link rel='urn:xmpp:alt-connections:xbosh' href='https://other.test:5443/bosh'/></XRD>"
	if body(answer) != want || !strings.Contains(answer, "Access-Control-Allow-Origin: *\r\n") || !strings.Contains(answer, "Content-Type: application/xrd+xml") {
		t.Errorf("got %s", answer)
	}
	if got := body(get("/.well-known/host-meta.json")); got != `{"links":[{"rel":"urn:xmpp:alt-connections:websocket","href":"wss://other.test:5443/ws"},`+
		`{"rel":"urn:xmpp:alt-connections:xbosh","href":"https://other.test:5443/bosh"}]}`+"\n" {
		t.Errorf("JSON: %s", got)
	}
	if got := s.ask(s.dial(), "POST /.well-known/host-meta HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n"); status(got) != "405" {
		t.Errorf("POST: %s", got)
	}
}

func TestHostMetaOfTheOutside(t *testing.T) {
	s := newSite(t, func(h *config.HTTP) {
		h.PublicURL, h.PublicIPs, h.BOSH = "https://chat.example.org/", []string{"192.0.2.7", "2001:db8::7"}, false
	})
	got := body(s.ask(s.dial(), "GET /.well-known/host-meta.json HTTP/1.1\r\nHost: evil.example\r\n\r\n"))
	var d struct {
		XMPP  struct{ TTL int }
		Links []struct {
			Rel, Href, SNI         string
			Port, Priority, Weight int
			IPs                    []string
		}
	}
	if err := json.Unmarshal([]byte(got), &d); err != nil || d.XMPP.TTL == 0 || len(d.Links) != 2 {
		t.Fatalf("got %s: %v", got, err)
	}
	direct, ws := d.Links[0], d.Links[1]
	if direct.Rel != relTLS || direct.Port != 5223 || direct.SNI != "test" || len(direct.IPs) != 2 {
		t.Errorf("direct TLS: %+v", direct)
	}
	if ws.Href != "wss://chat.example.org/ws" || ws.SNI != "chat.example.org" || len(ws.IPs) != 2 || ws.Priority <= direct.Priority {
		t.Errorf("WebSocket: %+v", ws)
	}
}

// FuzzHead: a head is refused, or net/http sees the same request.
func FuzzHead(f *testing.F) {
	f.Add([]byte(handshake))
	f.Add([]byte("POST /echo?x HTTP/1.0\r\nHost: a\r\nContent-Length: 12\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		end := headEnd(in, 0)
		if end == 0 {
			return
		}
		var h head
		if h.parse(in[:end]) != nil {
			return
		}
		r, err := readRequest(in[:end])
		if err != nil {
			return // net/http refuses more, such as targets
		}
		if r.ContentLength != h.body || len(r.TransferEncoding) > 0 || r.Method != string(h.method) || r.RequestURI != string(h.target) {
			t.Errorf("%q: net/http sees %s %s with %d bytes %v, we see %s %s with %d", in, r.Method, r.RequestURI, r.ContentLength,
				r.TransferEncoding, h.method, h.target, h.body)
		}
	})
}
