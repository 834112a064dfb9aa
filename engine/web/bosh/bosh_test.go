package bosh

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"meerkat/engine/config"
)

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
