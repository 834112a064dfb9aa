package pep_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/auth"
	"meerkat/engine/caps"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	advertised "meerkat/engine/feature/caps"
	"meerkat/engine/feature/pep"
	"meerkat/engine/feature/presence"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/pubsub"
	"meerkat/engine/roster"
	"meerkat/engine/route"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// sink is a client that counts what it is sent.
type sink struct{ n int }

func (s *sink) Write([]byte)            { s.n++ }
func (s *sink) Pause()                  {}
func (s *sink) Resume()                 {}
func (s *sink) Kick(string, string)     {}
func (s *sink) Sent(done func(ok bool)) { done(true) }

// crowd is romeo with 100 contacts who are all there, on two loops, each with so
// many nodes of which every client wants one, if clients want anything.
type crowd struct {
	t       testing.TB
	group   *loop.Group
	store   *store.Store
	routers []*route.Router
	doc     xml.Doc
	host    *pubsub.Host
	clients *caps.Clients
	romeo   *account.Session
	out     *sink
	others  []*sink
}

const friends = roster.To | roster.From | roster.Listed

// advert is what all clients say of themselves; what they mean by it is in the
// store already.
const advert = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://exodus' ver='sPgrmgyMYQICiYauFkOKY7YlbV8='/>"

const answer = "<iq type='result' id='caps:1' to='test'><query xmlns='http://jabber.org/protocol/disco#info'><identity category='client' type='pc' name='Exodus'/><feature var='http://jabber.org/protocol/disco#info'/><feature var='urn:mood+notify'/></query></iq>"

func newCrowd(t testing.TB, wants bool, nodes int) *crowd {
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 256 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	const loops = 2
	w := &crowd{t: t, group: loop.NewManual(loops, time.Unix(1e9, 0)), store: st}
	w.routers = w.assemble(loops)
	users := []string{"romeo@test"}
	var list []roster.Contact
	for i := range 100 {
		u := fmt.Sprintf("c%d@test", i)
		users, list = append(users, u), append(list, roster.Contact{JID: u, State: friends})
	}
	w.update(func(tx *store.Tx) error { return w.fill(tx, users, list, nodes) })
	text := "<presence/>"
	if wants {
		text = "<presence>" + advert + "</presence>"
	}
	for _, u := range users[1:] {
		s, out := w.login(u + "/x")
		w.send(s, text)
		if wants {
			w.send(s, answer) // to a question that only the first of a loop has got
		}
		w.others = append(w.others, out)
	}
	w.romeo, w.out = w.login("romeo@test/orchard")
	w.send(w.romeo, text)
	return w
}

func (w *crowd) assemble(loops int) []*route.Router {
	var flags account.Flags
	here := presence.New(loops)
	w.host, w.clients = pep.NewHost(loops), caps.NewClients(&flags)
	personal, events := pep.New(w.host, w.clients)
	known, asking := advertised.New(w.clients, loops, events.Recall)
	p := route.NewPlan([]string{"test"}, []feature.Feature{here, personal, known})
	p.Inbound = []feature.Stage{route.Deliver}
	p.PresenceOut = []feature.Stage{here.PresenceOut, asking.PresenceOut}
	p.PresenceIn = []feature.Stage{events.PresenceIn, here.PresenceIn}
	p.Notices = []feature.Stage{events.Notice(func(*feature.Ctx, *stanza.Stanza) feature.Verdict { return feature.Continue })}
	return route.New(p, w.group, feature.Env{
		Store: w.store, Config: config.Default(), Log: slog.Default(), Users: auth.NewAccounts(w.store),
	})
}

func (w *crowd) fill(tx *store.Tx, users []string, list []roster.Contact, nodes int) error {
	if err := roster.Put(tx, "romeo@test", roster.Build(1, list)); err != nil {
		return err
	}
	for _, u := range users {
		if err := auth.NewAccounts(w.store).Create(tx, jid.MustParse(u), &auth.Credentials{}); err != nil {
			return err
		}
		for i := range nodes {
			name := []string{"urn:mood", "urn:tune", "urn:geo"}[i]
			it := pubsub.Item{ID: "a", Payload: []byte("<m xmlns='urn:mood'>happy</m>")}
			if _, err := w.host.Publish(tx, pubsub.Limits{Items: 1}, u, name, it, nil); err != nil {
				return err
			}
		}
	}
	for _, u := range users[1:] {
		if err := roster.Put(tx, u, roster.Build(1, []roster.Contact{{JID: "romeo@test", State: friends}})); err != nil {
			return err
		}
	}
	return nil
}

func (w *crowd) update(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.store.UpdateWait(fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *crowd) router(user string) *route.Router { return w.routers[w.group.For(user).Index] }

func (w *crowd) login(full string) (*account.Session, *sink) {
	w.t.Helper()
	j := jid.MustParse(full)
	out := &sink{}
	s, cond := w.router(j.BareString()).Bind(j.Bare(), j.Resource(), out)
	if cond != stanza.OK {
		w.t.Fatalf("bind %s: %v", full, cond)
	}
	return s, out
}

func (w *crowd) handle(s *account.Session, text string) {
	e, err := w.doc.Parse([]byte(text), "jabber:client")
	if err != nil {
		w.t.Fatal(err)
	}
	if streamError := w.router(s.Account.JID.String()).Handle(s, e); streamError != "" {
		w.t.Fatalf("%s ends the stream: %s", text, streamError)
	}
}

func (w *crowd) send(s *account.Session, text string) {
	w.handle(s, text)
	w.settle()
}

func (w *crowd) settle() {
	for {
		w.group.Turn()
		for w.store.Stats().Queue > 0 {
			time.Sleep(20 * time.Microsecond)
		}
		if !w.group.Turn() {
			return
		}
	}
}

func (w *crowd) heard() (n int) {
	for _, o := range w.others {
		n += o.n
	}
	return n
}

// A login brings the last item of each contact who has one at a node that the
// client wants, and no more than that.
func TestLoginBringsWhatIsWanted(t *testing.T) {
	for _, c := range []struct {
		wants bool
		nodes int
		want  int
	}{{false, 3, 0}, {true, 0, 0}, {true, 3, 101}} {
		w := newCrowd(t, c.wants, c.nodes)
		w.send(w.romeo, "<presence type='unavailable'/>")
		w.out.n = 0
		text := "<presence/>"
		if c.wants {
			text = "<presence>" + advert + "</presence>"
		}
		w.send(w.romeo, text)
		if got := w.out.n - 101; got != c.want { // its own presence and 100 others
			t.Errorf("%+v: %d events at login", c, got)
		}
	}
}

// Large last items of a contact come up to a bound, which the last one may pass;
// those of the own account all.
func TestLargeLastItemsAreBounded(t *testing.T) {
	w := newCrowd(t, true, 0)
	names := []string{"a", "b", "c", "d"}
	for owner, want := range map[string]int{"romeo@test": 4, "c1@test": 3} {
		w.update(func(tx *store.Tx) error {
			for _, n := range names {
				it := pubsub.Item{ID: "a", Payload: []byte("<m xmlns='urn:m'>" + strings.Repeat("x", 30<<10) + "</m>")}
				if _, err := w.host.Publish(tx, pubsub.Limits{Items: 1}, owner, n, it, nil); err != nil {
					return err
				}
			}
			return nil
		})
		w.out.n = 0
		w.host.Recall(w.router(owner).Env(), owner, w.romeo.JID, func(yield func([]byte)) {
			for _, n := range names {
				yield([]byte(n))
			}
		})
		w.settle()
		if w.out.n != want {
			t.Errorf("%d items of 30 kB of %s came at once, want %d", w.out.n, owner, want)
		}
	}
}

// An event reaches 100 contacts with a handful of allocations for all of them.
func TestEventHardlyAllocates(t *testing.T) {
	w := newCrowd(t, true, 1)
	publish := func() {
		w.send(w.romeo, "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:mood'><item id='a'><m xmlns='urn:mood'/></item></publish></pubsub></iq>")
	}
	publish()
	before := w.heard()
	n := testing.AllocsPerRun(10, publish)
	if got := w.heard() - before; got != 11*100 {
		t.Fatalf("%d events were delivered, want %d", got, 11*100)
	}
	if n > 600 { // most of them the store's, in a write of its own
		t.Errorf("%v allocations for a publication and 100 events, want at most 600", n)
	}
}

// What presence costs with capabilities and without, and what a login does where
// contacts have nodes: ns for each of 100 contacts.
func BenchmarkPresence100(b *testing.B) {
	for _, c := range []struct {
		name  string
		wants bool
		nodes int
	}{{"no caps", false, 0}, {"caps", true, 0}, {"caps, 3 nodes", true, 3}} {
		w := newCrowd(b, c.wants, c.nodes)
		text := ""
		if c.wants {
			text = advert
		}
		run := func(name string, stanzas ...string) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					for _, s := range stanzas {
						w.handle(w.romeo, s)
					}
					w.group.Turn()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/contact")
			})
		}
		run("update", "<presence><show>away</show>"+text+"</presence>")
		run("login", "<presence type='unavailable'/>", "<presence>"+text+"</presence>")
	}
}

// BenchmarkEvent100 is a publication and its event to 100 contacts who want it:
// ns for each of them, the commit included.
func BenchmarkEvent100(b *testing.B) {
	w := newCrowd(b, true, 1)
	b.ReportAllocs()
	for b.Loop() {
		w.send(w.romeo, "<iq type='set' id='1'><pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:mood'><item id='a'><m xmlns='urn:mood'/></item></publish></pubsub></iq>")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/contact")
}
