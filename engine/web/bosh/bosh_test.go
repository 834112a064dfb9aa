package bosh

import (
	"context"
	"fmt"
	"io"
	"net/http"
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

func TestFirstAnswer(t *testing.T) {
	h := newHost(t, nil)
	c := h.send(open + " rid='10' to='test' from='romeo@test' xml:lang='de' hold='5' wait='3000' ack='1' ver='1.6'/>")
	if !h.g.TurnUntil(func() bool { return !c.waits() }) {
		t.Fatal("no answer")
	}
	got := c.w.Body.String()
	for _, want := range []string{" ver='1.11'", " from='test'", " authid='i&apos;d'", " wait='60'", " hold='1'", " requests='2'",
		" inactivity='60'", " maxpause='120'", " ack='10'", " xmpp:restartlogic='true'", "><features/></body>"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	want := "<open xmlns='" + nsOpen + "' to='test' from='romeo@test' version='1.0' xml:lang='de'/>"
	if a := h.actors[0]; len(a.heard) != 1 || a.heard[0] != want || !a.w.Secure() || a.w.Remote().String() != "192.0.2.1" {
		t.Errorf("the stream of %v, secure %v, heard %q", a.w.Remote(), a.w.Secure(), a.heard)
	}
	if ct := c.w.Header().Get("Content-Type"); ct != "text/xml; charset=utf-8" {
		t.Errorf("content type %q", ct)
	}
}

func TestRequestsAreHeldAndAnsweredInOrder(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	first := h.send(body(11, "", ""))
	if !first.waits() {
		t.Fatal("an empty request is answered at once")
	}
	second := h.send(body(12, "", "<echo>1</echo><echo>2</echo>"))
	first.want(200, says("<echo xmlns='"+nsBind+"'>1</echo><echo xmlns='"+nsBind+"'>2</echo>"))
	if !second.waits() {
		t.Error("both are answered")
	}
	third := h.send(body(13, "", ""))
	second.want(200, says("")) // one is held, not two
	h.g.Advance(59 * time.Second)
	if !third.waits() {
		t.Error("answered before its time")
	}
	h.g.Advance(2 * time.Second)
	third.want(200, says(""))
}

func TestRequestsOutOfOrder(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	later := h.send(body(12, "", "<note n='2'/>"))
	sooner := h.send(body(11, "", "<note n='1'/>"))
	sooner.want(200, says(""))
	if !later.waits() {
		t.Error("both are answered")
	}
	if heard := h.actors[0].heard; len(heard) != 3 || !strings.Contains(heard[1], "n='1'") || !strings.Contains(heard[2], "n='2'") {
		t.Errorf("heard %q", heard)
	}
}

func TestRepeatedRequestGetsTheSameAnswer(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	request := body(11, "", "<echo/>")
	answer := says("<echo xmlns='" + nsBind + "'/>")
	h.send(request).want(200, answer)
	h.send(request).want(200, answer)
	h.send(body(12, "", "<echo/>")).want(200, answer)
	h.send(request).want(200, answer) // one behind is still there
	if got := h.actors[0].w.Backlog(); got != len("<echo xmlns='"+nsBind+"'/>") {
		t.Errorf("backlog %d: what was acknowledged counts", got)
	}
}

func TestRepeatOfAHeldRequest(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	broken := h.send(body(11, "", ""))
	broken.cancel()
	h.turns()
	again := h.send(body(11, "", ""))
	third := h.send(body(11, "", ""))
	again.want(200, says(""))
	if !third.waits() {
		t.Fatal("the repeated request is not held")
	}
	h.actors[0].w.Loop().Post(func() { h.actors[0].w.Write([]byte("<news/>")) })
	third.want(200, says("<news/>"))
}

// TestRIDGames is what is refused of request ids (XEP-0124 §14.2).
func TestRIDGames(t *testing.T) {
	for name, tt := range map[string]struct {
		rid    string
		status int
		cond   string
	}{
		"beyond the window":  {"14", 404, "item-not-found"},
		"far beyond":         {"9007199254740991", 404, "item-not-found"},
		"never used":         {"1", 404, "item-not-found"},
		"beyond 2^53":        {"9007199254740992", 400, "bad-request"},
		"negative":           {"-1", 400, "bad-request"},
		"signed":             {"+11", 400, "bad-request"},
		"zero":               {"0", 400, "bad-request"},
		"no number":          {"abc", 400, "bad-request"},
		"empty":              {"", 400, "bad-request"},
		"more than 64 bits":  {"99999999999999999999999", 400, "bad-request"},
		"hexadecimal number": {"0x0B", 400, "bad-request"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, nil)
			sid, body := h.session(usual)
			held := h.send(body(11, "", ""))
			h.send(open+" sid='"+sid+"' rid='"+tt.rid+"'/>").want(tt.status, end(tt.cond))
			held.want(tt.status, end(tt.cond))
			h.send(body(12, "", "")).want(404, end("item-not-found"))
			if a := h.actors[0]; !a.ended {
				t.Error("the session lives on")
			}
		})
	}
}

// TestMalformedBodies is what ends with bad-request, never with 500.
func TestMalformedBodies(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":          "",
		"no XML":           "hello",
		"unfinished":       "<body xmlns='" + nsBind + "' rid='10'",
		"two roots":        says("") + says(""),
		"text behind":      open + " rid='10'/>x",
		"other element":    "<bodies xmlns='" + nsBind + "' rid='10'/>",
		"other namespace":  "<body rid='10'/>",
		"text inside":      open + " rid='10'>hello</body>",
		"DOCTYPE":          "<!DOCTYPE body>" + open + " rid='10'/>",
		"comment":          open + " rid='10'><!-- x --></body>",
		"unknown type":     open + " rid='10' type='error'/>",
		"no rid":           open + " to='test'/>",
		"hold no number":   open + " rid='10' hold='x'/>",
		"wait negative":    open + " rid='10' wait='-1'/>",
		"pause no number":  open + " rid='10' pause='soon'/>",
		"undeclared":       open + " rid='10'><a:b/></body>",
		"not UTF-8":        open + " rid='10' to='\xff'/>",
		"entity":           open + " rid='10'>&nbsp;</body>",
		"too deep":         open + " rid='10'>" + strings.Repeat("<a>", 20) + strings.Repeat("</a>", 20) + "</body>",
		"too many attrs":   open + " rid='10'><a a1='' a2='' a3='' a4='' a5='' a6='' a7='' a8='' a9='' a10='' a11='' a12='' a13='' a14='' a15='' a16='' a17='' a18='' a19='' a20='' a21=''/></body>",
		"rid in namespace": "<body xmlns='" + nsBind + "' xmlns:x='y' x:rid='10'/>",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, nil)
			h.send(body).want(400, end("bad-request"))
			if len(h.actors) > 0 {
				t.Error("there is a stream")
			}
		})
	}
}

func TestUnknownSession(t *testing.T) {
	h := newHost(t, nil)
	h.session(usual)
	h.send(open+" sid='0123456789abcdef0123456789abcdef' rid='11'/>").want(404, end("item-not-found"))
	if h.actors[0].ended {
		t.Error("another session ends")
	}
}

func TestSessionsHaveUnlikeIDs(t *testing.T) {
	h := newHost(t, nil)
	a, _ := h.session(usual)
	b, _ := h.session(usual)
	if a == b {
		t.Error("the same id twice")
	}
}

func TestBodySizes(t *testing.T) {
	h := newHost(t, nil)
	sid, body := h.session(usual)
	h.send(open+" rid='1' >"+strings.Repeat(" ", 3000)+"</body>").want(413, end("policy-violation"))
	h.send(open+" rid='1' sid='x'>"+strings.Repeat(" ", 1500)+"</body>").want(404, end("item-not-found"))
	h.send(body(11, "", "<a>"+strings.Repeat("x", 1300)+"</a>")).want(403, end("policy-violation")) // before login
	h.send(open+" rid='12' sid='"+sid+"'/>").want(404, end("item-not-found"))

	_, body = h.session(usual)
	h.send(body(11, "", "<home/>")).want(200, says("<moved/>"))
	long := "<a>" + strings.Repeat("x", 900) + "</a>"
	h.send(body(12, "", long+"<echo/>")).want(200, says("<echo xmlns='"+nsBind+"'/>"))
	h.send(body(13, "", "<a>"+strings.Repeat("x", 990)+"</a>")).want(403, end("policy-violation")) // an element
}

func TestSessionMovesWithItsRequests(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	h.send(body(11, "", "<home/>")).want(200, says("<moved/>"))
	held := h.send(body(12, "", ""))
	if !held.waits() {
		t.Fatal("answered at once")
	}
	h.g.Advance(61 * time.Second) // the timer has come along
	held.want(200, says(""))
	h.send(body(13, "", "<echo/>")).want(200, says("<echo xmlns='"+nsBind+"'/>"))
}

func TestInactivityEndsASession(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	held := h.send(body(11, "", ""))
	h.g.Advance(59 * time.Second)
	held.cancel() // the client is gone
	h.turns()
	h.g.Advance(59 * time.Second)
	if h.actors[0].ended {
		t.Fatal("ended too soon")
	}
	h.g.Advance(2 * time.Second)
	if !h.actors[0].ended {
		t.Fatal("a session without requests lives on")
	}
	h.send(body(12, "", "")).want(404, end("item-not-found"))
	if n := h.srv.count.Load(); n != 0 {
		t.Errorf("%d sessions are counted", n)
	}
}

// TestUndeliveredIsBacklog: what went out in an answer that the client may not
// have is not taken for delivered.
func TestUndeliveredIsBacklog(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	h.send(body(11, "", "<echo/>")).want(200, says("<echo xmlns='"+nsBind+"'/>"))
	a := h.actors[0]
	if a.w.Backlog() == 0 {
		t.Error("an answer nobody has acknowledged is no backlog")
	}
	held := h.send(body(12, "", ""))
	if n := a.w.Backlog(); n != 0 {
		t.Errorf("backlog %d after the next request", n)
	}
	a.w.Loop().Post(func() { a.w.Write([]byte("<news/>")) })
	held.want(200, says("<news/>"))
	h.send(body(13, "type='terminate'", "")).want(200, end(""))
	if a.left != len("<close xmlns='"+nsOpen+"'/>") && a.left > 60 {
		t.Errorf("backlog %d at the end, though the client had it all", a.left)
	}
}

func TestAcknowledgements(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual + " ack='1'")
	h.send(body(11, "", "<echo/>")).want(200, says("<echo xmlns='"+nsBind+"'/>"))
	h.send(body(12, "ack='10'", "")) // it lacks the answer to 11
	if h.actors[0].w.Backlog() == 0 {
		t.Error("what the client says it lacks is taken for delivered")
	}
	late := h.send(body(13, "ack='11'", ""))
	if n := h.actors[0].w.Backlog(); n != 0 {
		t.Errorf("backlog %d", n)
	}
	h.actors[0].w.Loop().Post(func() { h.actors[0].w.Write([]byte("<news/>")) })
	late.want(200, says("<news/>"))
}

func TestPause(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	held := h.send(body(11, "", ""))
	h.send(body(12, "pause='120'", "")).want(200, says(""))
	held.want(200, says(""))
	h.g.Advance(119 * time.Second)
	if h.actors[0].ended {
		t.Fatal("the session ends amid its pause")
	}
	h.send(body(13, "", ""))
	h.send(body(14, "pause='121'", "")).want(403, end("policy-violation"))
}

func TestPollingTooOften(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session("hold='0' wait='0'")
	h.send(body(11, "", "")).want(200, says(""))
	h.g.Advance(5 * time.Second)
	h.send(body(12, "", "")).want(200, says(""))
	h.send(body(13, "", "<echo/>")).want(200, says("<echo xmlns='"+nsBind+"'/>"))
	h.send(body(14, "", "")).want(403, end("policy-violation"))
}

func TestRestart(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	h.send(body(11, "xmpp:restart='true' to='test' xmlns:xmpp='urn:xmpp:xbosh'", "")).want(200, says("<features/>"))
	if heard := h.actors[0].heard; len(heard) != 2 {
		t.Errorf("heard %q", heard)
	}
}

func TestTerminate(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	held := h.send(body(11, "", ""))
	h.send(body(12, "type='terminate'", "<note/>"))
	held.want(200, end(""))
	if a := h.actors[0]; len(a.heard) != 2 || !a.ended || a.err != nil {
		t.Errorf("heard %q, ended %v with %v", a.heard, a.ended, a.err)
	}
}

func TestStreamErrorEndsASession(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	h.send(body(11, "", "<die/>")).want(200, open+" type='terminate' condition='remote-stream-error'>"+
		"<stream:error xmlns:stream='http://etherx.jabber.org/streams'><conflict xmlns='urn:x'/></stream:error></body>")
	h.send(body(12, "", "")).want(404, end("item-not-found"))
}

func TestLimitsOfSessions(t *testing.T) {
	h := newHost(t, func(c *config.HTTP) { c.BOSHSessions = 2 })
	h.session(usual)
	_, body := h.session(usual)
	h.send(open+" rid='10'/>").want(403, end("policy-violation"))
	h.send(body(11, "type='terminate'", "")).want(200, end(""))
	h.session(usual)

	h = newHost(t, nil) // 3 an address that have not logged in
	for range 3 {
		h.session(usual)
	}
	h.send(open+" rid='10'/>").want(403, end("policy-violation"))
	if n := h.srv.count.Load(); n != 3 {
		t.Errorf("%d sessions are counted, want 3", n)
	}
}

func TestSecureSessionStaysSecure(t *testing.T) {
	h := newHost(t, nil)
	_, body := h.session(usual)
	h.request("POST", "http", body(11, "", "<note/>"), nil).want(404, end("item-not-found"))
	if len(h.actors[0].heard) != 1 {
		t.Error("the stream hears what came in clear")
	}
}

func TestOrigins(t *testing.T) {
	h := newHost(t, func(c *config.HTTP) { c.Origins = []string{"https://good.example"} })
	for origin, status := range map[string]int{"https://good.example": 204, "https://example.com": 204, "https://evil.example": 403, "null": 403} {
		c := h.request("OPTIONS", "https", "", map[string]string{"Origin": origin})
		h.g.TurnUntil(func() bool { return !c.waits() })
		if got := c.w.Header().Get("Access-Control-Allow-Origin"); c.w.Code != status || (got == origin) != (status == 204) {
			t.Errorf("%s: %d, allowed %q", origin, c.w.Code, got)
		}
	}
	c := h.request("GET", "https", "", nil)
	h.g.TurnUntil(func() bool { return !c.waits() })
	if c.w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", c.w.Code)
	}
}

// FuzzBodies: whatever comes is answered, and never with 5xx.
func FuzzBodies(f *testing.F) {
	f.Add([]byte(open + " rid='10' to='test' hold='1' wait='60'/>"))
	f.Add([]byte(open + " rid='11' sid='x'><echo/></body>"))
	f.Add([]byte(open + " rid='10' wait='60' hold='1'><echo/><die/></body>"))
	lim := xml.Limits{Bytes: 1000, Depth: 10, Attrs: 20, Elems: 100}
	f.Fuzz(func(t *testing.T, b []byte) {
		q := parse(append(make([]byte, 0, len(b)+slack), b...), &lim)
		if q == nil {
			return
		}
		if q.rid == 0 || q.rid > maxRID || len(b) > lim.Bytes {
			t.Errorf("%q is taken", b)
		}
		for rest := q.frames; len(rest) > 0; { // unmasked, they are what a server writes
			if len(rest) < 6 || rest[1]&0x80 == 0 {
				t.Fatalf("%q makes frames %x", b, q.frames)
			}
			n := 6 + int(rest[1]&0x7F)
			if rest[1]&0x7F == 126 {
				n = 8 + int(rest[2])<<8 + int(rest[3])
			}
			rest = rest[n:]
		}
	})
}
