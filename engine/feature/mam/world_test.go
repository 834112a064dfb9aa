package mam

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/archive"
	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/feature/carbons"
	"meerkat/engine/feature/offline"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
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

	paused int
}

func (s *sink) Write(b []byte) {
	s.n++
	if !s.quiet {
		s.got = append(s.got, string(b))
	}
}
func (s *sink) Pause()                  { s.paused++ }
func (s *sink) Resume()                 { s.paused-- }
func (s *sink) Kick(string, string)     {}
func (s *sink) Sent(done func(ok bool)) { done(true) }

// world is a server of these features without streams.
type world struct {
	t       testing.TB
	f       *Feature
	group   *loop.Group
	store   *store.Store
	routers []*route.Router
	doc     xml.Doc
}

func newWorld(t testing.TB, loops int, enabled bool, users ...string) *world {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(store.Options{Dir: t.TempDir(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{t: t, group: loop.NewManual(loops, time.Unix(1.6e9, 0)), store: st}
	cfg := config.Default()
	cfg.Archive.Default = "always"
	cfg.Archive.Enabled = enabled
	var flags account.Flags
	kept, off := offline.New(&flags, loops)
	copies, copier := carbons.New(&flags)
	history, f := New(&flags, &cfg.Archive, st.Archive(), loops, w.group.At(0).Now())
	w.f = f
	p := route.NewPlan([]string{"test"}, []feature.Feature{kept, copies, history})
	p.FilterIn = []feature.Stage{f.Behind}
	p.Outbound = []feature.Stage{f.Outbound(copier.Outbound)}
	p.Inbound = []feature.Stage{f.Inbound(off.Spool, copier.Inbound(route.Deliver), off.Keep)}
	users2 := auth.NewAccounts(st)
	w.routers = route.New(p, w.group, feature.Env{Store: st, Config: cfg, Log: quiet, Users: users2})
	if err := st.UpdateWait(func(tx *store.Tx) error {
		for _, u := range users {
			if err := users2.Create(tx, jid.MustParse(u), &auth.Credentials{}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	w.group.Turn() // the features begin
	return w
}

func (w *world) router(user string) *route.Router { return w.routers[w.group.For(user).Index] }

// login binds user@test/resource, available.
func (w *world) login(full string) (*account.Session, *sink) {
	w.t.Helper()
	j := jid.MustParse(full)
	out := &sink{}
	s, cond := w.router(j.BareString()).Bind(j.Bare(), j.Resource(), out)
	if cond != stanza.OK {
		w.t.Fatalf("bind %s: %v", full, cond)
	}
	s.Presence = []byte("<presence/>")
	return s, out
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
			time.Sleep(20 * time.Microsecond)
		}
		if !w.group.Turn() {
			return
		}
	}
}

// rows is what owner has in the archive.
func (w *world) rows(owner string) (list []string) {
	w.t.Helper()
	err := w.store.View(func(tx *store.Tx) error {
		r, err := w.f.archive.Read(tx, owner)
		if err != nil {
			return err
		}
		for i := range r.Len() {
			v, err := r.Value(i)
			if err != nil {
				return err
			}
			list = append(list, string(v))
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

// What cannot be archived goes on without an id, in order.
func TestMessagesGoOnWithoutADisk(t *testing.T) {
	w := newWorld(t, 2, true, "romeo@test", "juliet@test")
	romeo, _ := w.login("romeo@test/desk")
	_, juliet := w.login("juliet@test/balcony")
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	before := unarchived.Value()
	for i := range 3 {
		w.handle(romeo, fmt.Sprintf("<message to='juliet@test/balcony' type='chat'><body>%d</body></message>", i))
	}
	w.settle()
	if len(juliet.got) != 3 {
		t.Fatalf("juliet has got %q, want 3 messages", juliet.got)
	}
	for i, m := range juliet.got {
		if !strings.Contains(m, fmt.Sprintf("<body>%d</body>", i)) || strings.Contains(m, "stanza-id") {
			t.Errorf("message %d is %s", i, m)
		}
	}
	if n := unarchived.Value() - before; n != 6 {
		t.Errorf("%d messages are counted as not archived, want 6", n)
	}
	if n := len(w.f.loops[0].lines) + len(w.f.loops[1].lines); n != 0 {
		t.Errorf("%d accounts still wait", n)
	}
}

// While the disk does not keep up nothing more is read from who sends.
func TestSendersWaitForASlowDisk(t *testing.T) {
	defer func(n int) { maxPending = n }(maxPending)
	maxPending = 10_000
	w := newWorld(t, 2, true, "romeo@test", "juliet@test")
	romeo, out := w.login("romeo@test/desk")
	_, juliet := w.login("juliet@test/balcony")
	sent := 0
	for ; out.paused == 0 && sent < 200; sent++ {
		w.handle(romeo, "<message to='juliet@test/balcony' type='chat'><body>"+strings.Repeat("x", 300)+"</body></message>")
	}
	if sent < 10 || sent > 40 {
		t.Errorf("the sender waits after %d messages of 450 bytes, want about 22", sent)
	}
	w.settle()
	if out.paused != 0 || len(juliet.got) != sent {
		t.Errorf("when all is stored the sender is paused %d times, and %d of %d messages have come", out.paused, len(juliet.got), sent)
	}
	for _, l := range w.f.loops {
		if l.pending != 0 {
			t.Errorf("%d bytes are counted as pending", l.pending)
		}
	}
}

// A session from before this process began sends what is in the archive already.
func TestWhatIsSentAgainAfterACrashIsArchivedOnce(t *testing.T) {
	w := newWorld(t, 2, true, "romeo@test", "juliet@test")
	romeo, _ := w.login("romeo@test/desk")
	_, juliet := w.login("juliet@test/balcony")
	romeo.Lasting = true
	send := func(id string) {
		w.handle(romeo, "<message to='juliet@test/balcony' type='chat' id='"+id+"'><body>x</body></message>")
		w.settle()
	}
	send("m1")
	w.f.born = romeo.ID>>32 + 1 // as after a restart
	send("m1")
	send("m2")
	w.f.started = w.f.started.Add(-resumable - time.Minute)
	send("m2")
	for _, owner := range []string{"romeo@test", "juliet@test"} {
		if rows := w.rows(owner); len(rows) != 3 {
			t.Errorf("%s has archived %q, want m1, m2, m2", owner, rows)
		}
	}
	if len(juliet.got) != 4 || juliet.got[0] != juliet.got[1] {
		t.Errorf("juliet has got %q, want the first one twice with one id", juliet.got)
	}
}

// Messages of many senders, some worth archiving and some not, reach an account
// in the order of each sender, whatever commits take.
func TestOrderIsKept(t *testing.T) {
	users := []string{"juliet@test"}
	for i := range 20 {
		users = append(users, fmt.Sprintf("u%d@test", i))
	}
	w := newWorld(t, 3, true, users...)
	_, juliet := w.login("juliet@test/balcony")
	var senders []*account.Session
	for _, u := range users[1:] {
		s, _ := w.login(u + "/x")
		senders = append(senders, s)
	}
	const each = 60
	for n := range each {
		for i, s := range senders {
			content := "<body>b</body>"
			if (n+i)%3 == 0 {
				content = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
			}
			w.handle(s, fmt.Sprintf("<message to='juliet@test/balcony' type='chat' id='%d'>%s</message>", n, content))
		}
		if n%7 == 0 {
			w.group.Turn()
		}
	}
	w.settle()
	next := map[string]int{}
	for _, m := range juliet.got {
		e, err := w.doc.Parse([]byte(m), "jabber:client")
		if err != nil {
			t.Fatal(err)
		}
		from := string(e.Attr("from"))
		if id := string(e.Attr("id")); id != fmt.Sprint(next[from]) {
			t.Fatalf("%s: message %s, want %d", from, id, next[from])
		}
		next[from]++
	}
	if len(juliet.got) != each*len(senders) {
		t.Errorf("%d messages came, want %d", len(juliet.got), each*len(senders))
	}
}

// A month is removed an hour after it is over, without anybody doing anything.
func TestMonthsGo(t *testing.T) {
	w := newWorld(t, 2, true, "romeo@test", "juliet@test")
	romeo, _ := w.login("romeo@test/desk")
	w.handle(romeo, "<message to='juliet@test' type='chat'><body>x</body></message>")
	w.settle()
	if n := w.f.archive.Stats().Months; n != 1 {
		t.Fatalf("%d months, want 1", n)
	}
	w.group.Advance(360 * 24 * time.Hour)
	w.settle()
	if n := w.f.archive.Stats().Months; n != 1 {
		t.Errorf("%d months before its time, want 1", n)
	}
	w.group.Advance(40 * 24 * time.Hour)
	w.settle()
	if n := w.f.archive.Stats().Months; n != 0 {
		t.Errorf("%d months when it is over, want 0", n)
	}
}

// BenchmarkRoute is a message of 100 bytes from one user to another on another
// loop, with and without an archive, 100 in flight; without the kernel's part.
func BenchmarkRoute(b *testing.B) {
	for name, enabled := range map[string]bool{"archive": true, "none": false} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, 2, enabled, "romeo@test", "juliet@test")
			romeo, _ := w.login("romeo@test/desk")
			_, juliet := w.login("juliet@test/balcony")
			juliet.quiet = true
			e, err := w.doc.Parse([]byte("<message to='juliet@test/balcony' type='chat' id='m1'><body>"+strings.Repeat("x", 100)+"</body></message>"), "jabber:client")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.router("romeo@test").Handle(romeo, e)
				if i%100 == 99 {
					w.settle()
				}
			}
			w.settle()
			if juliet.n < b.N {
				b.Errorf("%d messages came, want %d", juliet.n, b.N)
			}
		})
	}
}

// BenchmarkPage is a page of 50 from 1,000,000 messages of one user.
func BenchmarkPage(b *testing.B) {
	w := newWorld(b, 1, true, "romeo@test")
	fill(b, w, 1_000_000)
	for name, f := range map[string]*archive.Filter{
		"last":     asked("", true),
		"first":    asked("", false),
		"one-peer": asked("peer7@test", true),
		"nobody":   asked("nobody@test", true),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p := &archive.Page{Source: archive.Source{Archive: w.f.archive, Owner: "romeo@test"}, To: "romeo@test/desk", Filter: f}
				var cond stanza.Condition
				err := w.store.View(func(tx *store.Tx) (err error) { cond, err = p.Make(tx); return err })
				if err != nil || cond != stanza.OK || p.Len() != 50 && name != "nobody" {
					b.Fatal(err, cond, p.Len())
				}
			}
		})
	}
}

func fill(b *testing.B, w *world, n int) {
	clock := w.f.archive.Clock()
	now := time.Unix(1.6e9, 0)
	for i := 0; i < n; {
		var rows store.Rows
		for range 10_000 {
			peer := fmt.Sprintf("peer%d@test", i%100)
			now = now.Add(time.Second)
			v := fmt.Sprintf("<message from='romeo@test/desk' to='%s' type='chat' id='%d'><body>%s</body></message>", peer, i, strings.Repeat("x", 100))
			if err := rows.Add("romeo@test", clock.Next(now), store.Tag(peer), []byte(v)); err != nil {
				b.Fatal(err)
			}
			i++
		}
		if err := w.store.UpdateWait(func(tx *store.Tx) error { return w.f.archive.Append(tx, "", &rows) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	if st := w.f.archive.Stats(); st.Rows != uint64(n) {
		b.Fatal(errors.New("not all rows are there"))
	}
}

// asked is a query for 50 messages, with somebody or with all, the last or the
// first ones.
func asked(with string, back bool) *archive.Filter {
	text := "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>"
	if with != "" {
		text += "<field var='with'><value>" + with + "</value></field>"
	}
	text += "</x><set xmlns='http://jabber.org/protocol/rsm'><max>50</max>"
	if back {
		text += "<before/>"
	}
	var doc xml.Doc
	e, err := doc.Parse([]byte(text+"</set></query>"), stanza.Client)
	src := archive.Source{Page: 50}
	f, cond := src.Read(e)
	if err != nil || cond != stanza.OK {
		panic(fmt.Sprint(err, cond))
	}
	return f
}
