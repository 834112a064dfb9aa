package route

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// sink is a client that keeps what it is sent.
type sink struct {
	got    []string
	quiet  bool // only counts
	n      int
	paused int
	kicked string
}

func (s *sink) Write(b []byte) {
	s.n++
	if !s.quiet {
		s.got = append(s.got, string(b))
	}
}
func (s *sink) Pause()                  { s.paused++ }
func (s *sink) Resume()                 { s.paused-- }
func (s *sink) Kick(c, _ string)        { s.kicked = c }
func (s *sink) Sent(done func(ok bool)) { done(true) }

// world is a server without streams.
type world struct {
	t       testing.TB
	group   *loop.Group
	store   *store.Store
	routers []*Router
	docs    [64]xml.Doc
}

func newWorld(t testing.TB, loops int, stages func(p *Plan)) *world {
	st, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{t: t, group: loop.NewManual(loops, time.Unix(1e9, 0)), store: st}
	p := NewPlan([]string{"test"}, []feature.Feature{{Name: "echo", IQ: []feature.IQ{
		feature.GetIQ(feature.Server|feature.Own, "urn:test:echo", "echo", func(c *feature.Ctx, q *stanza.Stanza) { c.Result(q, nil) }),
	}}})
	p.Inbound = []feature.Stage{Deliver}
	p.PresenceIn = []feature.Stage{func(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
		if to := find(c.Account, s.To); to != nil {
			Write(c, to, s)
		}
		return feature.Done
	}}
	if stages != nil {
		stages(p)
	}
	w.routers = New(p, w.group, feature.Env{Store: st, Config: config.Default(), Log: slog.Default()})
	return w
}

func (w *world) router(user string) *Router { return w.routers[w.group.For(user).Index] }

// login binds user@test/resource with a priority; "" is no presence at all.
func (w *world) login(full, prio string) (*account.Session, *sink) {
	j := jid.MustParse(full)
	out := &sink{}
	s, cond := w.router(j.BareString()).Bind(j.Bare(), j.Resource(), out)
	if cond != stanza.OK {
		w.t.Fatalf("bind %s: %v", full, cond)
	}
	if prio != "" {
		s.Presence = []byte("<presence/>")
		fmt.Sscan(prio, &s.Priority)
	}
	return s, out
}

// send lets s send one stanza and everything come of it that does.
func (w *world) send(s *account.Session, stanza string) string {
	e, err := w.docs[0].Parse([]byte(stanza), "jabber:client")
	if err != nil {
		w.t.Fatal(err)
	}
	streamError := w.router(s.Account.JID.String()).Handle(s, e)
	w.group.Turn()
	return streamError
}

// outcome names what happened to a message, as RFC 6121's table does.
func outcome(here, there []string, kept int) string {
	switch {
	case kept > 0:
		return "kept"
	case len(here) > 0 && strings.Contains(here[0], "service-unavailable"):
		return "error"
	case len(there) > 0:
		return fmt.Sprint("to ", strings.Join(there, " "))
	}
	return "silence"
}

// The table of RFC 6121 §8.5.4, for accounts that exist. Who is there, whom
// the message is for, its type, what comes of it.
func TestMessageTable(t *testing.T) {
	const table = `
		none             | juliet@test     | normal    | kept
		none             | juliet@test     | chat      | kept
		none             | juliet@test     | groupchat | error
		none             | juliet@test     | headline  | silence
		none             | juliet@test     | error     | silence
		none             | juliet@test/a   | normal    | error
		none             | juliet@test/a   | chat      | kept
		none             | juliet@test/a   | groupchat | error
		none             | juliet@test/a   | headline  | silence
		none             | juliet@test/a   | error     | silence
		a:-1             | juliet@test     | normal    | kept
		a:-1             | juliet@test     | chat      | kept
		a:-1             | juliet@test     | groupchat | error
		a:-1             | juliet@test     | headline  | silence
		a:-1             | juliet@test/a   | normal    | to a
		a:-1             | juliet@test/a   | chat      | to a
		a:-1             | juliet@test/a   | groupchat | to a
		a:-1             | juliet@test/a   | headline  | to a
		a:-1             | juliet@test/a   | error     | to a
		a:-1             | juliet@test/x   | normal    | error
		a:-1             | juliet@test/x   | chat      | kept
		a:-1             | juliet@test/x   | groupchat | error
		a:-1             | juliet@test/x   | headline  | silence
		a:0              | juliet@test     | normal    | to a
		a:0              | juliet@test     | chat      | to a
		a:0              | juliet@test     | groupchat | error
		a:0              | juliet@test     | headline  | to a
		a:0              | juliet@test/x   | chat      | to a
		a:0              | juliet@test/x   | normal    | error
		a:0              | juliet@test/x   | error     | silence
		a:1 b:5 c:-2 d:  | juliet@test     | normal    | to a b
		a:1 b:5 c:-2 d:  | juliet@test     | chat      | to a b
		a:1 b:5 c:-2 d:  | juliet@test     | headline  | to a b
		a:1 b:5 c:-2 d:  | juliet@test     | groupchat | error
		a:1 b:5 c:-2 d:  | juliet@test     | error     | silence
		a:1 b:5 c:-2 d:  | juliet@test/c   | chat      | to c
		a:1 b:5 c:-2 d:  | juliet@test/d   | chat      | to d
		a:1 b:5 c:-2 d:  | juliet@test/x   | chat      | to a b
		a:1 b:5 c:-2 d:  | juliet@test/x   | headline  | silence
		a:1 b:5 c:-2 d:  | nobody@other    | chat      | remote`
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		t.Run(strings.TrimSpace(line), func(t *testing.T) {
			cells := strings.Split(line, "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			messageRow(t, cells[0], cells[1], cells[2], cells[3])
		})
	}
}

func messageRow(t *testing.T, who, to, typ, want string) {
	kept := 0
	w := newWorld(t, 2, func(p *Plan) {
		p.Inbound = append(p.Inbound, func(*feature.Ctx, *stanza.Stanza) feature.Verdict { kept++; return feature.Done })
	})
	romeo, here := w.login("romeo@test/orchard", "")
	sinks := map[string]*sink{}
	var order []string
	for _, f := range strings.Fields(who) {
		if name, prio, ok := strings.Cut(f, ":"); ok {
			_, sinks[name] = w.login("juliet@test/"+name, prio)
			order = append(order, name)
		}
	}
	w.send(romeo, fmt.Sprintf("<message to='%s' type='%s'><body>x</body></message>", to, typ))
	var there []string
	for _, name := range order {
		if len(sinks[name].got) > 0 {
			there = append(there, name)
		}
	}
	got := outcome(here.got, there, kept)
	if len(here.got) > 0 && strings.Contains(here.got[0], "remote-server-not-found") {
		got = "remote"
	}
	if got != want {
		t.Errorf("got %q, want %q; sender heard %q", got, want, here.got)
	}
}

func TestStanzasKeepTheirOrderAcrossKindsAndLoops(t *testing.T) {
	w := newWorld(t, 4, nil)
	for i := range 8 { // some on the sender's loop, some not
		romeo, _ := w.login(fmt.Sprintf("romeo%d@test/r", i), "0")
		_, juliet := w.login(fmt.Sprintf("juliet%d@test/b", i), "0")
		to := fmt.Sprintf("juliet%d@test/b", i)
		r := w.router(romeo.Account.JID.String())
		r.Run(func() { // one turn: a packet first, then stanzas handled at once
			r.Send(jid.MustParse(to), fmt.Appendf(nil, "<message from='%s' to='%s' id='0'/>", romeo.JID, to))
			for n := 1; n < 4; n++ {
				e, _ := w.docs[n].Parse(fmt.Appendf(nil, "<message to='%s' id='%d'><body/></message>", to, n), "jabber:client")
				r.Handle(romeo, e)
			}
		})
		w.group.Turn()
		var ids []string
		for _, m := range juliet.got {
			_, id, _ := strings.Cut(m, "id='")
			ids = append(ids, id[:1])
		}
		if got := strings.Join(ids, ""); got != "0123" {
			t.Errorf("pair %d: order %q, want 0123", i, got)
		}
	}
}

func TestFromIsStampedAndForeignFromEndsTheStream(t *testing.T) {
	w := newWorld(t, 2, nil)
	romeo, _ := w.login("romeo@test/orchard", "0")
	_, juliet := w.login("juliet@test/balcony", "0")
	for _, from := range []string{"", " from='romeo@test'", " from='romeo@test/orchard'"} {
		juliet.got = nil
		w.send(romeo, "<message"+from+" to='juliet@test'><body>x</body></message>")
		if len(juliet.got) != 1 || !strings.Contains(juliet.got[0], "from='romeo@test/orchard'") {
			t.Errorf("with%s: juliet got %q, want one message from romeo@test/orchard", from, juliet.got)
		}
	}
	for _, from := range []string{"juliet@test", "romeo@test/other", "test", "", "@"} {
		if got := w.send(romeo, "<message from='"+from+"' to='juliet@test'/>"); got != "invalid-from" {
			t.Errorf("from %q: stream error %q, want invalid-from", from, got)
		}
	}
}

func TestBadStanzas(t *testing.T) {
	w := newWorld(t, 2, nil)
	romeo, here := w.login("romeo@test/orchard", "0")
	for _, c := range []struct{ in, want string }{
		{"<iq type='get'><echo xmlns='urn:test:echo'/></iq>", "bad-request"},
		{"<iq type='get' id='1'/>", "bad-request"},
		{"<iq type='set' id='1'><a xmlns='x'/><b xmlns='x'/></iq>", "bad-request"},
		{"<iq type='bogus' id='1'><a xmlns='x'/></iq>", "bad-request"},
		{"<iq id='1'><a xmlns='x'/></iq>", "bad-request"},
		{"<presence type='bogus'/>", "bad-request"},
		{"<message to='@test'/>", "jid-malformed"},
		{"<iq type='get' id='1' to='a@b@c'><a xmlns='x'/></iq>", "jid-malformed"},
		{"<iq type='get' id='1' to='test'><a xmlns='x'/></iq>", "service-unavailable"},
		{"<iq type='get' id='1'><a xmlns='x'/></iq>", "service-unavailable"},
		{"<iq type='set' id='1'><echo xmlns='urn:test:echo'/></iq>", "feature-not-implemented"},
		{"<iq type='get' id='1' to='juliet@test'><a xmlns='x'/></iq>", "service-unavailable"},
		{"<iq type='get' id='1' to='juliet@test/x'><a xmlns='x'/></iq>", "service-unavailable"},
		{"<iq type='get' id='1' to='juliet@far.example'><a xmlns='x'/></iq>", "remote-server-not-found"},
		{"<iq type='get' id='1' to='test/x'><a xmlns='x'/></iq>", "service-unavailable"},
		{"<message to='test'><body>x</body></message>", "service-unavailable"},
		{"<iq type='result' id='1'/>", ""},
		{"<iq type='error' id='1' to='juliet@test/x'/>", ""},
		{"<iq type='result' id='1'><a xmlns='x'/><b xmlns='x'/></iq>", ""},
		{"<message type='error' to='juliet@far.example'/>", ""},
	} {
		here.got = nil
		if e := w.send(romeo, c.in); e != "" {
			t.Errorf("%s ends the stream with %s", c.in, e)
		}
		switch {
		case c.want == "" && len(here.got) != 0:
			t.Errorf("%s is answered with %q, want silence", c.in, here.got)
		case c.want != "" && (len(here.got) != 1 || !strings.Contains(here.got[0], "<"+c.want+" ")):
			t.Errorf("%s is answered with %q, want %s", c.in, here.got, c.want)
		}
	}
	for in, want := range map[string]string{
		"<unheard-of xmlns='jabber:client'/>":               "unsupported-stanza-type",
		"<message xmlns='urn:foreign' to='juliet@test'/>":   "unsupported-stanza-type",
		"<message xmlns='jabber:server' to='juliet@test'/>": "unsupported-stanza-type",
	} {
		if got := w.send(romeo, in); got != want {
			t.Errorf("%s: stream error %q, want %q", in, got, want)
		}
	}
}

func TestNewSessionTakesTheResource(t *testing.T) {
	w := newWorld(t, 2, nil)
	_, old := w.login("romeo@test/orchard", "0")
	s, _ := w.login("romeo@test/orchard", "0")
	if old.kicked != "conflict" {
		t.Errorf("the old session ends with %q, want conflict", old.kicked)
	}
	if got := s.Account.Find("orchard"); got != s || len(s.Account.Sessions) != 1 {
		t.Errorf("the account has %d sessions, want the new one only", len(s.Account.Sessions))
	}
}

func TestSessionsPerUser(t *testing.T) {
	w := newWorld(t, 1, nil)
	limit := w.routers[0].Env().Config.Limits.SessionsPerUser
	for i := range limit {
		w.login(fmt.Sprintf("romeo@test/%d", i), "")
	}
	if _, got := w.routers[0].Bind(jid.MustParse("romeo@test"), "more", &sink{}); got != stanza.ResourceConstraint {
		t.Errorf("session %d: %v, want resource-constraint", limit+1, got)
	}
	if _, got := w.routers[0].Bind(jid.MustParse("romeo@test"), "a\x00b", &sink{}); got != stanza.BadRequest {
		t.Errorf("a resource that cannot be one: %v, want bad-request", got)
	}
}

// An answer of the server says that what was sent before it is stored.
func TestAnswerWaitsForTheStore(t *testing.T) {
	release := make(chan struct{})
	stored := 0
	w := newWorld(t, 2, func(p *Plan) {
		p.Inbound = append(p.Inbound, func(c *feature.Ctx, _ *stanza.Stanza) feature.Verdict {
			c.Update(func(*store.Tx) error { <-release; return nil }, func(error) { stored++ })
			return feature.Done
		})
	})
	for _, to := range []string{"juliet@test", "tybalt@test", "nurse@test"} {
		romeo, here := w.login("romeo@test/orchard", "0")
		here.got, stored = nil, 0
		w.send(romeo, "<message to='"+to+"'><body>x</body></message>")
		w.send(romeo, "<iq type='get' id='1'><echo xmlns='urn:test:echo'/></iq>")
		if len(here.got) != 0 {
			t.Fatalf("to %s: answered with %q before the message was stored", to, here.got)
		}
		release <- struct{}{}
		w.group.TurnUntil(func() bool { return len(here.got) > 0 })
		if stored != 1 || len(here.got) != 1 || !strings.Contains(here.got[0], "type='result'") {
			t.Errorf("to %s: %d stored, romeo got %q, want 1 and a result", to, stored, here.got)
		}
	}
}

// A panic in a handler is the loop's to survive: what was routed before it, and
// all that comes later, is delivered.
func TestPanicDoesNotStopTheRouter(t *testing.T) {
	w := newWorld(t, 1, func(p *Plan) {
		p.Outbound = []feature.Stage{func(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
			if string(s.ID) == "bad" {
				c.Router.Send(s.To, []byte("<message from='romeo@test/r' to='juliet@test/b' id='before'/>"))
				panic("a bug of ours")
			}
			return feature.Continue
		}}
	})
	romeo, _ := w.login("romeo@test/r", "0")
	_, juliet := w.login("juliet@test/b", "0")
	func() {
		defer func() { recover() }()
		w.send(romeo, "<message to='juliet@test/b' id='bad'/>")
	}()
	w.routers[0].Run(func() {
		w.routers[0].Send(jid.MustParse("juliet@test/b"), []byte("<message from='romeo@test/r' to='juliet@test/b' id='after'/>"))
	})
	if got := fmt.Sprint(juliet.got); !strings.Contains(got, "'before'") || !strings.Contains(got, "'after'") {
		t.Errorf("juliet got %s, want what came before the panic and after it", got)
	}
}

func TestRoutingDoesNotAllocate(t *testing.T) {
	for _, loops := range []int{1, 2, 4} {
		w := newWorld(t, loops, nil)
		romeo, _ := w.login("romeo@test/orchard", "0")
		_, juliet := w.login("juliet@test/balcony", "0")
		juliet.quiet = true
		r := w.router("romeo@test")
		in := []byte("<message to='juliet@test/balcony' type='chat' id='m1'><body>Wherefore art thou?</body></message>")
		e, err := w.docs[0].Parse(in, "jabber:client")
		if err != nil {
			t.Fatal(err)
		}
		once := func() {
			r.Handle(romeo, e)
			w.group.Turn()
		}
		for range 100 {
			once()
		}
		if n := testing.AllocsPerRun(1000, once); n != 0 {
			t.Errorf("%d loops: %v allocations a message, want 0", loops, n)
		}
		if juliet.n < 1000 {
			t.Errorf("%d loops: %d messages arrived", loops, juliet.n)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	for _, loops := range []int{1, 2} {
		b.Run(fmt.Sprintf("loops=%d", loops), func(b *testing.B) {
			w := newWorld(b, loops, nil)
			romeo, _ := w.login("romeo@test/orchard", "0")
			_, juliet := w.login("juliet@test/balcony", "0")
			juliet.quiet = true
			r := w.router("romeo@test")
			e, err := w.docs[0].Parse([]byte("<message to='juliet@test/balcony' type='chat' id='m1'><body>"+strings.Repeat("x", 100)+"</body></message>"), "jabber:client")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r.Handle(romeo, e)
				w.group.Turn()
			}
		})
	}
}
