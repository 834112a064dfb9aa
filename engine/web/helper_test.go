package web

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/loop"
	"meerkat/engine/wire"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// site is a Server over loops in memory whose streams say back what they hear.
type site struct {
	t    testing.TB
	g    *loop.Group
	wire *wire.Server
	web  *Server
	last *echo
}

func newSite(t testing.TB, change func(*config.HTTP)) *site {
	t.Helper()
	cfg := config.Default().HTTP
	cfg.TLSListen = []string{":5443"}
	if change != nil {
		change(&cfg)
	}
	s := &site{t: t, g: loop.NewManual(1, epoch)}
	var err error
	s.web, err = New(Options{
		HTTP: &cfg, Domains: []string{"test", "other.test"}, DirectTLS: []string{":5223"}, Group: s.g, FirstMessage: 64,
		Stream: func() wire.Framed { s.last = &echo{}; return s.last },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.web.http.Close() })
	s.wire = wire.New(s.g, wire.Options{}).With(nil, s.web.Proxies())
	s.web.Handle("/echo", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d %v", r.Method, r.RemoteAddr, len(b), err)
	}))
	return s
}

// echo is a stream.
type echo struct {
	w    *wire.Conn
	got  []byte
	err  error
	over bool
}

func (e *echo) Opened(w *wire.Conn)               { e.w = w }
func (e *echo) Bytes(_ *wire.Conn, in []byte) int { e.got = append(e.got, in...); return len(in) }
func (e *echo) Message(w *wire.Conn)              { w.Write(e.got); e.got = nil }
func (e *echo) Flush(*wire.Conn)                  {}
func (e *echo) Secured(*wire.Conn)                {}
func (e *echo) Closed(_ *wire.Conn, err error)    { e.err, e.over = err, true }
func (s *site) dial() *loop.Peer                  { return s.wire.Pipe(s.g.At(0), s.web.NewUpper(), false) }
func status(answer string) string                 { return strings.Join(strings.Fields(answer)[1:2], "") }
func body(answer string) string                   { _, b, _ := strings.Cut(answer, "\r\n\r\n"); return b }

// ask sends a request and returns the answer, of which the end is at its
// Content-Length or at the end of the connection.
func (s *site) ask(p *loop.Peer, request string) string {
	s.t.Helper()
	p.WriteString(request)
	return s.answer(p)
}

func (s *site) answer(p *loop.Peer) string {
	s.t.Helper()
	var got strings.Builder
	whole := func() bool {
		got.Write(p.Read())
		head, body, ok := strings.Cut(got.String(), "\r\n\r\n")
		if !ok {
			return p.Ended()
		}
		var n int
		for _, line := range strings.Split(head, "\r\n") {
			if v, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				_, _ = fmt.Sscan(v, &n)
			}
		}
		return len(body) >= n || p.Ended()
	}
	if !s.g.TurnUntil(whole) {
		s.t.Fatalf("no answer, but %q", got.String())
	}
	return got.String()
}

func readRequest(b []byte) (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
}
