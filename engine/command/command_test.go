package command_test

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/auth"
	"meerkat/engine/command"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/feature/commands"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/route"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// sink is a client that keeps what it is sent.
type sink struct{ got []string }

func (s *sink) Write(b []byte)          { s.got = append(s.got, string(b)) }
func (s *sink) Pause()                  {}
func (s *sink) Resume()                 {}
func (s *sink) Kick(string, string)     {}
func (s *sink) Sent(done func(ok bool)) { done(true) }

// ask is a page with one field.
func ask(field string, more bool, next command.Step) command.Page {
	return command.Page{More: more, Next: next, Form: func(b *xml.Builder) {
		form.Start(b, form.Ask, "").Field(form.Def{Var: field, Type: form.TextSingle}).End()
	}}
}

// order takes two pages: of what, how many. The second step takes a turn.
func order(r *command.Run) {
	r.Ask(ask("what", true, func(r *command.Run) {
		what, ok := r.Form.Value("what")
		if !ok {
			r.Refuse("what?")
			return
		}
		r.Ask(ask("many", false, func(r *command.Run) {
			many, _ := r.Form.Value("many")
			if many == "none" {
				r.Fail(stanza.NotAcceptable, "")
				return
			}
			r.Loop.Post(func() { r.Router.Run(func() { r.Done(many + " " + what) }) })
		}))
	}))
}

// world is a server with that command, and one that only juliet may run.
type world struct {
	t     *testing.T
	group *loop.Group
	store *store.Store
	cfg   *config.Config
	r     *route.Router
	doc   xml.Doc
}

func newWorld(t *testing.T) *world {
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w := &world{t: t, group: loop.NewManual(1, time.Unix(1e9, 0)), store: st, cfg: config.Default()}
	w.cfg.Limits.Commands = 3
	p := route.NewPlan([]string{"test"}, []feature.Feature{commands.New(1,
		command.Command{Node: "order", Name: "Order", Start: order},
		command.Command{Node: "secret", Name: "Secret", Start: func(r *command.Run) { r.Done("") },
			Allowed: func(_ *feature.Ctx, who jid.JID) bool { return who.Local() == "juliet" }},
	)})
	w.r = route.New(p, w.group, feature.Env{Store: st, Config: w.cfg, Log: slog.Default(), Users: auth.NewAccounts(st)})[0]
	w.group.Turn()
	return w
}

func (w *world) login(full string) (*account.Session, *sink) {
	j, out := jid.MustParse(full), &sink{}
	s, cond := w.r.Bind(j.Bare(), j.Resource(), out)
	if cond != stanza.OK {
		w.t.Fatal(cond)
	}
	return s, out
}

// send returns what comes back, with ids of sessions as ID.
func (w *world) send(s *account.Session, attrs, content string) (answer, id string) {
	w.t.Helper()
	text := "<iq type='set' id='1' to='test'><command xmlns='http://jabber.org/protocol/commands' " + attrs + ">" + content + "</command></iq>"
	e, err := w.doc.Parse([]byte(text), "jabber:client")
	if err != nil {
		w.t.Fatal(err)
	}
	out := s.Sink.(*sink)
	out.got = nil
	w.group.At(0).Post(func() { w.r.Handle(s, e) }) // in a turn, so that it has the time
	w.group.Turn()
	all := strings.Join(out.got, "\n")
	if m := regexp.MustCompile(`sessionid='([^']*)'`).FindStringSubmatch(all); m != nil {
		all, id = strings.Replace(all, m[1], "ID", 1), m[1]
	}
	return all, id
}

const filled = "<x xmlns='jabber:x:data' type='submit'>"

func field(name, v string) string {
	return filled + "<field var='" + name + "'><value>" + v + "</value></field></x>"
}

func want(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	s, _ := w.login("romeo@test/desk")
	first := "node='order' sessionid='ID' status='executing'><actions execute='next'><next/></actions><x xmlns='jabber:x:data' type='form'><field var='what'"
	second := "status='executing'><actions execute='complete'><prev/><complete/></actions><x xmlns='jabber:x:data' type='form'><field var='many'"
	got, id := w.send(s, "node='order' action='execute'", "")
	want(t, got, first)
	in := "node='order' sessionid='" + id + "'"
	got, _ = w.send(s, in+" action='next'", field("other", "x"))
	want(t, got, "<bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>what?</text><bad-payload xmlns='http://jabber.org/protocol/commands'/>")
	got, _ = w.send(s, in+" action='next'", "")
	want(t, got, "<bad-payload ")
	got, _ = w.send(s, in+" action='next'", field("what", "tea"))
	want(t, got, second)
	got, _ = w.send(s, in+" action='prev'", "")
	want(t, got, first)
	got, _ = w.send(s, in+" action='prev'", "")
	want(t, got, "<bad-action ")
	got, _ = w.send(s, in+" action='complete'", field("what", "tea"))
	want(t, got, "<bad-action ")
	got, _ = w.send(s, in, field("what", "milk"))
	want(t, got, second)
	got, _ = w.send(s, in+" action='complete'", field("many", "2"))
	want(t, got, "status='completed'><note type='info'>2 milk</note></command>")
	got, _ = w.send(s, in+" action='complete'", field("many", "2"))
	want(t, got, "<bad-sessionid ")
}

func TestErrors(t *testing.T) {
	w := newWorld(t)
	s, _ := w.login("romeo@test/desk")
	juliet, _ := w.login("juliet@test/balcony")
	_, id := w.send(s, "node='order'", "")
	for _, row := range [][2]string{
		{"node='nothing'", "<error type='cancel'><item-not-found "},
		{"node='secret'", "<error type='auth'><forbidden "},
		{"node='order' action='jump'", "<error type='modify'><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><malformed-action xmlns='http://jabber.org/protocol/commands'/>"},
		{"node='order' action='next'", "<bad-action xmlns='http://jabber.org/protocol/commands'/>"},
		{"node='order' sessionid='none'", "<bad-sessionid xmlns='http://jabber.org/protocol/commands'/>"},
		{"node='secret' sessionid='" + id + "'", "<forbidden "},
		{"node='order' sessionid='" + id + "' action='cancel'", "status='canceled'/>"},
		{"node='order' sessionid='" + id + "' action='cancel'", "<bad-sessionid "},
	} {
		got, _ := w.send(s, row[0], "")
		want(t, got, row[1])
	}
	_, id = w.send(s, "node='order'", "")
	got, _ := w.send(juliet, "node='order' sessionid='"+id+"'", field("what", "x"))
	want(t, got, "<bad-sessionid ")
	got, _ = w.send(juliet, "node='secret'", "")
	want(t, got, "status='completed'/>")
	w.send(s, "node='order' sessionid='"+id+"' action='next'", field("what", "x"))
	got, _ = w.send(s, "node='order' sessionid='"+id+"'", field("many", "none"))
	want(t, got, "<not-acceptable ")
}

func TestBoundsAndTime(t *testing.T) {
	w := newWorld(t)
	s, _ := w.login("romeo@test/desk")
	var ids []string
	for range 3 {
		_, id := w.send(s, "node='order'", "")
		ids = append(ids, id)
	}
	got, _ := w.send(s, "node='order'", "")
	want(t, got, "<error type='wait'><resource-constraint ")
	w.group.Advance(9 * time.Minute)
	got, _ = w.send(s, "node='order' sessionid='"+ids[0]+"'", field("what", "x"))
	want(t, got, "status='executing'")
	w.group.Advance(2 * time.Minute)
	got, _ = w.send(s, "node='order' sessionid='"+ids[1]+"'", field("what", "x"))
	want(t, got, "<not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><session-expired xmlns='http://jabber.org/protocol/commands'/>")
	got, _ = w.send(s, "node='order' sessionid='"+ids[0]+"'", field("many", "4"))
	want(t, got, "4 x")
	w.group.Advance(time.Hour)
	got, _ = w.send(s, "node='order' sessionid='"+ids[1]+"'", field("what", "x"))
	want(t, got, "<bad-sessionid ")
	_, id := w.send(s, "node='order'", "")
	w.r.Unbind(s)
	s, _ = w.login("romeo@test/desk")
	got, _ = w.send(s, "node='order' sessionid='"+id+"'", field("what", "x"))
	want(t, got, "<bad-sessionid ")
}
