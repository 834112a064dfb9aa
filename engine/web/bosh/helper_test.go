package bosh

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/loop"
	"meerkat/engine/wire"
	"meerkat/xml"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// host is a Server over loops in memory. Its streams are actors.
type host struct {
	t      *testing.T
	g      *loop.Group
	srv    *Server
	wire   *wire.Server
	actors []*actor
}

func newHost(t *testing.T, change func(*config.HTTP)) *host {
	cfg := config.Default().HTTP
	if change != nil {
		change(&cfg)
	}
	h := &host{t: t, g: loop.NewManual(2, epoch)}
	h.wire = wire.New(h.g, wire.Options{PerAddress: 3})
	h.srv = New(Options{
		HTTP: &cfg, Group: h.g, Wire: h.wire, FirstMessage: 200,
		Limits: xml.Limits{Bytes: 1000, Depth: 10, Attrs: 20, Elems: 100},
		Stream: func() wire.Framed { a := &actor{}; h.actors = append(h.actors, a); return a },
	})
	return h
}

// actor is a stream that answers <open/> with a header and features, <close/>
// with the same, <echo/> with itself and <die/> with a stream error. What is
// not among these it writes down.
type actor struct {
	w     *wire.Conn
	text  strings.Builder
	heard []string
	err   error
	ended bool
	left  int // backlog when it ended
}

func (a *actor) Opened(w *wire.Conn) { a.w = w }
func (a *actor) Bytes(_ *wire.Conn, in []byte) int {
	a.text.Write(in)
	return len(in)
}

func (a *actor) Message(w *wire.Conn) {
	m := a.text.String()
	a.text.Reset()
	switch {
	case strings.HasPrefix(m, "<open"):
		a.heard = append(a.heard, m)
		w.Write([]byte("<open xmlns='" + nsOpen + "' id='i&apos;d' from='test'/>"))
		w.Write([]byte("<features/>"))
	case strings.HasPrefix(m, "<close"):
		w.Write([]byte(m))
		a.left = w.Backlog()
		w.Close()
	case strings.HasPrefix(m, "<die"):
		w.Write([]byte("<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict xmlns='urn:x'/></stream:error>"))
		w.Close()
	case strings.HasPrefix(m, "<home"):
		w.SetMessageLimit(1000)
		w.Authenticated()
		w.Move(a.other(), func() { w.Write([]byte("<moved/>")) })
	case strings.HasPrefix(m, "<echo"):
		w.Write([]byte(m))
	default:
		a.heard = append(a.heard, m)
	}
}

func (a *actor) other() *loop.Loop {
	l := a.w.Loop()
	return l.Group().At(1 - l.Index)
}
func (a *actor) Flush(*wire.Conn)   {}
func (a *actor) Secured(*wire.Conn) {}
func (a *actor) Closed(_ *wire.Conn, err error) {
	a.ended, a.err = true, err
}

// call is a request under way.
type call struct {
	h      *host
	w      *httptest.ResponseRecorder
	done   chan struct{}
	cancel context.CancelFunc
}

func (h *host) send(body string) *call { return h.request("POST", "https", body, nil) }

func (h *host) request(method, scheme, body string, header map[string]string) *call {
	ctx, cancel := context.WithCancel(context.Background())
	r := httptest.NewRequest(method, "/bosh", strings.NewReader(body)).WithContext(ctx)
	read := make(chan struct{})
	r.Body = &watched{Reader: strings.NewReader(body), left: len(body), read: read}
	r.URL.Scheme, r.RemoteAddr = scheme, "192.0.2.1:0"
	for k, v := range header {
		r.Header.Set(k, v)
	}
	c := &call{h: h, w: httptest.NewRecorder(), done: make(chan struct{}), cancel: cancel}
	h.t.Cleanup(cancel)
	go func() {
		h.srv.ServeHTTP(c.w, r)
		close(c.done)
	}()
	select { // the handler is about to hand it to the loop, or done
	case <-read:
	case <-c.done:
	}
	h.turns()
	return c
}

// watched is a body that tells when it has been read.
type watched struct {
	io.Reader
	left int
	read chan struct{}
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left -= n; b.left == 0 && n > 0 {
		close(b.read)
	}
	return n, err
}

func (*watched) Close() error { return nil }

// turns lets goroutines and loops do what they can.
func (h *host) turns() {
	for range 10 {
		time.Sleep(500 * time.Microsecond)
		h.g.Turn()
	}
}

func (c *call) waits() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// want checks the answer.
func (c *call) want(status int, body string) {
	c.h.t.Helper()
	if !c.h.g.TurnUntil(func() bool { return !c.waits() }) {
		c.h.t.Fatalf("no answer, want %s", body)
	}
	if got := c.w.Body.String(); c.w.Code != status || got != body {
		c.h.t.Errorf("got  %d %s\nwant %d %s", c.w.Code, got, status, body)
	}
}

const open = "<body xmlns='" + nsBind + "'"

func end(condition string) string {
	if condition == "" {
		return open + " type='terminate'/>"
	}
	return open + " type='terminate' condition='" + condition + "'/>"
}

func says(elems string) string {
	if elems == "" {
		return open + "/>"
	}
	return open + ">" + elems + "</body>"
}

// session makes one, with rid 10, and returns what makes bodies for it.
func (h *host) session(attrs string) (sid string, body func(rid int, attrs, elems string) string) {
	h.t.Helper()
	c := h.send(open + " rid='10' to='test' " + attrs + "/>")
	if !h.g.TurnUntil(func() bool { return !c.waits() }) {
		h.t.Fatal("no answer to the first request")
	}
	var d xml.Doc
	e, err := d.Parse(c.w.Body.Bytes(), "")
	if err != nil || len(e.Attr("sid")) != 32 {
		h.t.Fatalf("first answer: %d %s", c.w.Code, c.w.Body)
	}
	sid = string(e.Attr("sid"))
	return sid, func(rid int, attrs, elems string) string {
		return fmt.Sprintf("<body xmlns='%s' rid='%d' sid='%s' %s>%s</body>", nsBind, rid, sid, attrs, elems)
	}
}

const usual = "hold='1' wait='60'"
