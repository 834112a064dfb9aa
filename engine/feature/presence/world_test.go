package presence_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/feature/offline"
	"meerkat/engine/feature/ping"
	"meerkat/engine/feature/presence"
	"meerkat/engine/feature/rosters"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/roster"
	"meerkat/engine/route"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// sink is a client that keeps, or only counts, what it is sent.
type sink struct {
	got   []string
	quiet bool
	n     int
}

func (s *sink) Write(b []byte) {
	s.n++
	if !s.quiet {
		s.got = append(s.got, string(b))
	}
}
func (s *sink) Pause()                  {}
func (s *sink) Resume()                 {}
func (s *sink) Kick(string, string)     {}
func (s *sink) Sent(done func(ok bool)) { done(true) }

// take returns what came since the last take.
func (s *sink) take() string {
	all := strings.Join(s.got, "\n")
	s.got = nil
	return all
}

// world is a server of these features without streams, and with stores that can
// be set up as no conversation could.
type world struct {
	t       testing.TB
	group   *loop.Group
	store   *store.Store
	routers []*route.Router
	doc     xml.Doc
}

func newWorld(t testing.TB, loops int, users ...string) *world {
	t.Helper()
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{t: t, group: loop.NewManual(loops, time.Unix(1e9, 0)), store: st}
	var flags account.Flags
	declared, kept := offline.New(&flags, loops)
	here := presence.New(loops)
	list := []feature.Feature{rosters.New(), here, declared, ping.New()}
	p := route.NewPlan([]string{"test"}, list)
	p.Inbound = []feature.Stage{kept.Spool, route.Deliver, kept.Keep}
	p.PresenceOut = []feature.Stage{here.PresenceOut, declared.PresenceOut}
	p.PresenceIn = []feature.Stage{here.PresenceIn}
	w.routers = route.New(p, w.group, feature.Env{
		Store: st, Config: config.Default(), Log: slog.Default(), Users: auth.NewAccounts(st),
	})
	w.update(func(tx *store.Tx) error {
		for _, u := range users {
			if err := auth.NewAccounts(st).Create(tx, jid.MustParse(u), &auth.Credentials{}); err != nil {
				return err
			}
		}
		return nil
	})
	return w
}

func (w *world) update(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.UpdateWait(fn); err != nil {
		w.t.Fatal(err)
	}
}

// roster makes c all that owner has as contacts.
func (w *world) roster(owner string, c ...roster.Contact) {
	w.t.Helper()
	w.update(func(tx *store.Tx) error { return roster.Put(tx, owner, roster.Build(1, c)) })
}

func (w *world) router(user string) *route.Router { return w.routers[w.group.For(user).Index] }

// login binds user@test/resource.
func (w *world) login(full string) (*account.Session, *sink) {
	w.t.Helper()
	j := jid.MustParse(full)
	out := &sink{}
	s, cond := w.router(j.BareString()).Bind(j.Bare(), j.Resource(), out)
	if cond != stanza.OK {
		w.t.Fatalf("bind %s: %v", full, cond)
	}
	return s, out
}

// send lets s send stanzas and everything come of it that does.
func (w *world) send(s *account.Session, stanzas ...string) {
	w.t.Helper()
	for _, text := range stanzas {
		w.handle(s, text)
	}
	w.settle()
}

func (w *world) handle(s *account.Session, text string) {
	w.t.Helper()
	e, err := w.doc.Parse([]byte(text), "jabber:client")
	if err != nil {
		w.t.Fatal(err)
	}
	if streamError := w.router(s.Account.JID.String()).Handle(s, e); streamError != "" {
		w.t.Fatalf("%s ends the stream: %s", text, streamError)
	}
}

// settle turns until nothing is left to do, the store's writer included.
func (w *world) settle() {
	for {
		w.group.Turn()
		for w.store.Stats().Queue > 0 {
			time.Sleep(50 * time.Microsecond)
		}
		if !w.group.Turn() {
			return
		}
	}
}

// contacts returns n contacts c0@test, c1@test ... in state s.
func contacts(n int, s roster.State) (c []roster.Contact, users []string) {
	for i := range n {
		u := fmt.Sprintf("c%d@test", i)
		c, users = append(c, roster.Contact{JID: u, State: s}), append(users, u)
	}
	return c, users
}
