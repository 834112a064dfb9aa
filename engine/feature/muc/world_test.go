package muc_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/feature/muc"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/metric"
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

// world is a server that has rooms and nothing else.
type world struct {
	rooms   feature.Feature
	t       testing.TB
	cfg     *config.Config
	group   *loop.Group
	store   *store.Store
	routers []*route.Router
	op      *muc.Operator
	doc     xml.Doc
}

func newWorld(t testing.TB) *world {
	t.Helper()
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	cfg := config.Default()
	cfg.Rooms.Archive = false // a message waits for nothing
	return serve(t, cfg, st, time.Unix(1e9, 0))
}

// serve makes a server on a store.
func serve(t testing.TB, cfg *config.Config, st *store.Store, now time.Time) *world {
	const loops = 2
	w := &world{t: t, cfg: cfg, group: loop.NewManual(loops, now), store: st}
	rooms, op := muc.New([]string{"test"}, &w.cfg.Rooms, loops)
	w.op, w.rooms = op, rooms
	p := route.NewPlan([]string{"test"}, []feature.Feature{rooms})
	p.Inbound = []feature.Stage{route.Deliver}
	p.PresenceIn = []feature.Stage{toResource}
	w.routers = route.New(p, w.group, feature.Env{
		Store: st, Config: w.cfg, Log: slog.Default(), Users: auth.NewAccounts(st),
	})
	return w
}

// toResource delivers presence, such as errors, to the resource that it is for.
func toResource(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
	if c.Account != nil {
		if to := c.Account.Find(s.To.Resource()); to != nil {
			route.Write(c, to, s)
		}
	}
	return feature.Done
}

type client struct {
	*sink
	w *world
	s *account.Session
}

func (w *world) login(full string) *client {
	w.t.Helper()
	j, out := jid.MustParse(full), &sink{}
	s, cond := w.routers[w.group.For(j.BareString()).Index].Bind(j.Bare(), j.Resource(), out)
	if cond != stanza.OK {
		w.t.Fatalf("bind %s: %v", full, cond)
	}
	return &client{out, w, s}
}

func (c *client) send(text string) {
	c.w.t.Helper()
	e, err := c.w.doc.Parse([]byte(text), "jabber:client")
	if err != nil {
		c.w.t.Fatal(err)
	}
	if streamError := c.w.routers[c.w.group.For(c.s.Account.JID.String()).Index].Handle(c.s, e); streamError != "" {
		c.w.t.Fatalf("%s ends the stream: %s", text, streamError)
	}
	c.w.group.Turn()
}

func (c *client) join(nick string) {
	c.send("<presence to='r@conference.test/" + nick + "'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
}

func (c *client) configure(fields string) {
	c.send("<iq type='set' id='c' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>" + fields + "</x></query></iq>")
}

func (c *client) affiliate(id, who, what string) {
	c.send("<iq type='set' id='" + id + "' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#admin'><item jid='" + who + "' affiliation='" + what + "'/></query></iq>")
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

// pause keeps the store's writer busy until the function it returns is called.
func (w *world) pause() (release func()) {
	held := make(chan struct{})
	w.store.Update(func(*store.Tx) error { <-held; return nil }, func(error) {})
	return func() { close(held); w.settle() }
}

const lasting = "<field var='muc#roomconfig_persistentroom'><value>1</value></field>"

// Rule 23: nobody hears of a change before it is stored; and what is asked for
// meanwhile is judged by what it makes. Two owners that remove each other do not
// leave the room without one (§10.4).
func TestChangesOneAfterTheOther(t *testing.T) {
	w := newWorld(t)
	romeo, juliet := w.login("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure(lasting)
	romeo.affiliate("o", "juliet@test", "owner")
	w.settle()
	juliet.join("juliet")
	w.settle()
	if got := romeo.take(); strings.Count(got, "type='result'") != 2 {
		t.Fatalf("the room is not made: %s", got)
	}
	juliet.take()

	release := w.pause()
	romeo.affiliate("1", "juliet@test", "none")
	juliet.affiliate("2", "romeo@test", "none")
	juliet.send("<message type='groupchat' to='r@conference.test'><body>still here</body></message>")
	if got := romeo.take() + juliet.take(); strings.Contains(got, "id='1'") || strings.Contains(got, "id='2'") ||
		strings.Contains(got, "affiliation='none'") || !strings.Contains(got, "still here") {
		t.Errorf("before the commit they hear %s", got)
	}
	release()
	if got := romeo.take(); !strings.Contains(got, "type='result' id='1'") || !strings.Contains(got, "affiliation='none'") {
		t.Errorf("after the commit romeo hears %s", got)
	}
	if got := juliet.take(); !strings.Contains(got, "id='2'") || !strings.Contains(got, "<forbidden") {
		t.Errorf("after the commit juliet hears %s", got)
	}
}

const invitation = "<message id='i' to='r@conference.test'><x xmlns='http://jabber.org/protocol/muc#user'><invite to='juliet@test'/><invite to='nurse@test'/></x></message>"

// guarded is a room for members only, and who is outside.
func guarded(t *testing.T) (w *world, romeo, juliet *client) {
	w = newWorld(t)
	romeo, juliet = w.login("romeo@test/x"), w.login("juliet@test/x")
	juliet.s.Presence = []byte("<presence/>")
	romeo.join("romeo")
	romeo.configure(lasting + "<field var='muc#roomconfig_membersonly'><value>1</value></field>")
	w.settle()
	romeo.take()
	return w, romeo, juliet
}

// Who gets an invitation (§7.8.2) may come at once.
func TestInvitationsComeAfterTheCommit(t *testing.T) {
	w, romeo, juliet := guarded(t)
	release := w.pause()
	romeo.send(invitation)
	juliet.join("juliet")
	if got := juliet.take(); strings.Contains(got, "<invite") || !strings.Contains(got, "<registration-required") {
		t.Errorf("before the commit juliet hears %s", got)
	}
	release()
	if got := juliet.take(); !strings.Contains(got, "<invite") {
		t.Errorf("after the commit juliet hears %s", got)
	}
	juliet.join("juliet")
	if got := juliet.take(); !strings.Contains(got, "code='110'") {
		t.Errorf("juliet does not enter: %s", got)
	}
	if got := romeo.take(); strings.Contains(got, "type='error'") {
		t.Errorf("romeo hears %s", got)
	}
}

// Nobody is invited who could not enter.
func TestInvitationsThatCannotBeStored(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(w *world)
		want  string
	}{
		"too many": {func(w *world) { w.cfg.Rooms.Affiliated = 2 }, "<resource-constraint"},
		"no store": {func(w *world) { w.store.Close() }, "<internal-server-error"},
	} {
		t.Run(name, func(t *testing.T) {
			w, romeo, juliet := guarded(t)
			c.spoil(w)
			romeo.send(invitation)
			w.settle()
			if got := romeo.take(); strings.Count(got, "type='error'") != 1 || !strings.Contains(got, c.want) {
				t.Errorf("romeo hears %s", got)
			}
			if got := juliet.take(); got != "" {
				t.Errorf("juliet hears %s", got)
			}
		})
	}
}

// Who enters while the room is being destroyed leaves with it, and a room of
// that name can be made again.
func TestEnteringARoomThatEnds(t *testing.T) {
	w := newWorld(t)
	romeo, juliet := w.login("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure(lasting)
	w.settle()
	release := w.pause()
	romeo.send("<iq type='set' id='d' to='r@conference.test'><query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query></iq>")
	romeo.affiliate("late", "juliet@test", "member")
	juliet.join("juliet")
	release()
	if got := juliet.take(); !strings.Contains(got, "<destroy") {
		t.Errorf("juliet hears %s, want the end of the room", got)
	}
	got := romeo.take()
	if !strings.Contains(got, "type='result' id='d'") || !strings.Contains(got, "id='late'") || !strings.Contains(got, "<item-not-found") {
		t.Errorf("romeo hears %s", got)
	}
	juliet.join("juliet")
	if got := juliet.take(); !strings.Contains(got, "code='201'") {
		t.Errorf("making the room again: %s", got)
	}
}

// A store that takes nothing is an error, and changes nothing.
func TestAffiliationsAreBounded(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rooms.Affiliated = 10
	romeo := w.login("romeo@test/x")
	romeo.join("romeo")
	romeo.configure(lasting)
	for i := range 9 {
		romeo.affiliate("a", fmt.Sprintf("m%d@test", i), "member")
	}
	w.settle()
	romeo.take()
	romeo.affiliate("more", "one@test", "member")
	w.settle()
	if got := romeo.take(); !strings.Contains(got, "<resource-constraint") {
		t.Errorf("one more is answered with %s", got)
	}
	romeo.affiliate("other", "m1@test", "outcast")
	w.settle()
	if got := romeo.take(); !strings.Contains(got, "type='result'") {
		t.Errorf("a change of one is answered with %s", got)
	}
}

// Tags with white space in odd places arrive whole, also out of the history.
func TestOddTags(t *testing.T) {
	w := newWorld(t)
	romeo, juliet := w.login("romeo@test/x"), w.login("juliet@test/x")
	romeo.join("romeo")
	romeo.configure("")
	romeo.take()
	romeo.send("<message\n\tid='a b'\ttype='groupchat' to='r@conference.test'><body>x</body></message \n>")
	romeo.send("<c:message xmlns:c='jabber:client' type='groupchat' to='r@conference.test'><c:body>y</c:body></c:message>")
	juliet.join("juliet")
	for _, got := range append(romeo.got[:2:2], juliet.got[2:4]...) {
		e, err := w.doc.Parse([]byte(got), stanza.Client)
		if err != nil || !e.Is("message", stanza.Client) || len(e.Child("body", stanza.Client).Text()) != 1 || !strings.HasSuffix(string(e.Attr("to")), "@test/x") {
			t.Errorf("%q: %v", got, err)
		}
	}
	if !strings.Contains(juliet.got[2], "<delay ") || !strings.Contains(juliet.got[3], "<delay ") {
		t.Errorf("history without a time: %q", juliet.got)
	}
}

// crowd fills the room with n occupants.
func (w *world) crowd(n int) (first *client, all []*client) {
	w.cfg.Rooms.Occupants = 20000
	w.cfg.Rooms.UserChanges, w.cfg.Rooms.Changes, w.cfg.Rooms.UserMessages, w.cfg.Rooms.Messages = 0, 0, 0, 0
	for i := range n {
		c := w.login(fmt.Sprintf("user%d@test/x", i))
		c.quiet = true
		if all = append(all, c); i == 0 {
			c.join("n0")
			c.configure("")
			continue
		}
		c.join(fmt.Sprintf("n%d", i))
	}
	return all[0], all
}

// An occupant costs little memory while nothing happens. What other tests have
// left may come and go meanwhile, so one good measurement of several is enough.
func TestMemoryOfOccupants(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector's memory is another one")
	}
	var got []int64
	for range 5 {
		n := bytesAnOccupant(t)
		if got = append(got, n); n > 50 && n <= 200 {
			t.Logf("%d bytes an occupant", n)
			return
		}
	}
	t.Errorf("%d bytes an occupant, want at most 200", got)
}

func bytesAnOccupant(t *testing.T) int64 {
	const warm, n = 1000, 1000 // the first ones fill pools
	w := newWorld(t)
	var clients []*client
	for i := range warm + n {
		c := w.login(fmt.Sprintf("user%d@test/x", i))
		c.quiet = true
		clients = append(clients, c)
	}
	w.cfg.Rooms.Occupants = 20000
	w.cfg.Rooms.UserChanges, w.cfg.Rooms.Changes, w.cfg.Rooms.UserMessages, w.cfg.Rooms.Messages = 0, 0, 0, 0
	clients[0].join("n0")
	clients[0].configure("")
	for i, c := range clients[1:warm] {
		c.join(fmt.Sprintf("w%d", i))
	}
	before := heap()
	for i, c := range clients[warm:] {
		c.join(fmt.Sprintf("n%d", i))
	}
	after := heap()
	runtime.KeepAlive(clients)
	return (int64(after) - int64(before)) / n
}

// A room that lasts is in memory only while somebody is in it.
func TestEmptyRoomsAreNotInMemory(t *testing.T) {
	w := newWorld(t)
	w.cfg.Rooms.PerUser = 0
	romeo := w.login("romeo@test/x")
	rooms := func() float64 { return metric.Snapshot()["meerkat_muc_rooms"] }
	before := rooms()
	const n = 50
	each := func(stanza string) {
		for i := range n {
			romeo.send(strings.ReplaceAll(stanza, "ROOM", fmt.Sprintf("room%d@conference.test", i)))
		}
		w.settle()
	}
	each("<presence to='ROOM/romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
	each("<iq type='set' id='c' to='ROOM'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>" + lasting + "</x></query></iq>")
	if got := rooms() - before; got != n {
		t.Errorf("%v rooms are in memory, want %d", got, n)
	}
	each("<presence type='unavailable' to='ROOM/romeo'/>")
	romeo.take()
	each("<iq type='get' id='i' to='ROOM'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
	if got := strings.Count(romeo.take(), "muc_persistent"); got != n {
		t.Errorf("%d rooms are there, want %d", got, n)
	}
	if got := rooms() - before; got != 0 {
		t.Errorf("%v empty rooms are in memory, want none", got)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	for range 4 { // pools and what is interned go late
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMessage500 is a message to a room of 500, without what is below the
// sessions.
func BenchmarkMessage500(b *testing.B) {
	w := newWorld(b)
	first, _ := w.crowd(500)
	text := "<message type='groupchat' id='m' to='r@conference.test'><body>" + strings.Repeat("x", 100) + "</body></message>"
	b.ReportAllocs()
	for b.Loop() {
		first.send(text)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/delivery")
}

// BenchmarkJoin500 is somebody who enters a room of 500, and leaves.
func BenchmarkJoin500(b *testing.B) {
	w := newWorld(b)
	w.crowd(500)
	c := w.login("late@test/x")
	c.quiet = true
	b.ReportAllocs()
	for b.Loop() {
		c.join("late")
		c.send("<presence type='unavailable' to='r@conference.test/late'/>")
	}
}
