package stream

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/route"
	"meerkat/engine/stanza"
	"meerkat/engine/wire"
)

const (
	testHeader = "<stream:stream to='test' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
	testBind   = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>desk</resource></bind></iq>"
)

// harness is streams over loops in memory with routers above and no store:
// messages end in what stage says.
type harness struct {
	t     testing.TB
	group *loop.Group
	sh    *Shared
	wire  *wire.Server
	log   bytes.Buffer // warnings and errors
}

func newHarness(t testing.TB, loops int, stage feature.Stage) *harness {
	h := &harness{t: t, group: loop.NewManual(loops, time.Unix(1e9, 0))}
	logger := slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	cfg := config.Default()
	cfg.Domains, cfg.C2S.RequireTLS = []string{"test"}, false
	cfg.Limits.BytesPerSecond = 0
	mechanisms, err := auth.New(auth.Options{Backend: nobody{}, Secret: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	plan := route.NewPlan(cfg.Domains, nil)
	plan.Outbound = []feature.Stage{stage}
	routers := route.New(plan, h.group, feature.Env{Config: cfg, Log: logger})
	h.sh = New(Options{
		Config: cfg, Group: h.group, Mechanisms: mechanisms, Throttle: auth.NewThrottle(auth.ThrottleOptions{}),
		Router: func(l *loop.Loop) *route.Router { return routers[l.Index] },
	})
	h.wire = wire.New(h.group, wire.Options{Logger: logger})
	t.Cleanup(func() {
		if h.log.Len() > 0 {
			t.Errorf("the server logs:\n%s", &h.log)
		}
	})
	return h
}

// nobody is a backend without accounts.
type nobody struct{}

func (nobody) Lookup(jid.JID) (auth.Account, error) { return auth.Account{}, auth.ErrNoAccount }

// drop is a stage that deals with every message.
func drop(*feature.Ctx, *stanza.Stanza) feature.Verdict { return feature.Done }

// dial connects a client to loop 0.
func (h *harness) dial() (*Stream, *loop.Peer) {
	s := h.sh.NewUpper(false).(*Stream)
	p := h.wire.Pipe(h.group.At(0), s, false)
	h.group.Turn()
	return s, p
}

// open is dial with a stream on it.
func (h *harness) open() (*Stream, *loop.Peer) {
	s, p := h.dial()
	p.WriteString(testHeader)
	h.group.Turn()
	p.Read()
	return s, p
}

// login is open as if user had logged in.
func (h *harness) login(user string) (*Stream, *loop.Peer) {
	s, p := h.open()
	s.login.user = jid.MustParse(user)
	s.phase = authenticated
	s.restart()
	p.WriteString(testHeader)
	h.group.Turn()
	p.Read()
	return s, p
}

// bind is login with a resource, desk.
func (h *harness) bind(user string) (*Stream, *loop.Peer) {
	s, p := h.login(user)
	p.WriteString(testBind)
	h.group.Turn()
	if got := p.ReadString(); s.phase != bound || !strings.Contains(got, "<jid>"+user+"/desk</jid>") {
		h.t.Fatalf("bind: got %q in phase %d", got, s.phase)
	}
	return s, p
}
