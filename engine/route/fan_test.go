package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
)

// crowd logs n users in, each on the loop of its name.
func (w *world) crowd(n int) (names []jid.JID, sinks []*sink) {
	for i := range n {
		name := fmt.Sprintf("user%d@test/x", i)
		_, out := w.login(name, "")
		names, sinks = append(names, jid.MustParse(name)), append(sinks, out)
	}
	return names, sinks
}

// eachTurn runs fn in the next n turns of the only loop, before what is fanned.
func (w *world) eachTurn(n int, fn func()) {
	var next func()
	next = func() {
		if fn(); n > 1 {
			n--
			w.group.At(0).Post(next)
		}
	}
	w.group.At(0).Post(next)
	w.group.Turn()
}

func (w *world) fan(from string, b string, names []jid.JID) {
	r := w.router(from)
	r.Run(func() {
		r.Fan([]byte(b), func(yield func(jid.JID)) {
			for _, n := range names {
				yield(n)
			}
		})
	})
}

// A room larger than a turn: everybody gets everything, in order, and a loop
// serves others in between.
func TestFanOfManyIsCutIntoTurns(t *testing.T) {
	w := newWorld(t, 1, nil)
	names, sinks := w.crowd(2*fanTurn + fanTurn/2)
	w.fan("r@rooms.test", "<message from='r@rooms.test/a' type='groupchat'><body>1</body></message>", names)
	w.fan("r@rooms.test", "<message from='r@rooms.test/a' type='groupchat'><body>2</body></message>", names[len(names)-1:])
	reached := func() (n int) {
		for _, s := range sinks {
			n += min(s.n, 1)
		}
		return n
	}
	var between []int
	w.eachTurn(4, func() { between = append(between, reached()) })
	if want := []int{0, fanTurn, 2 * fanTurn, len(names)}; !slices.Equal(between, want) {
		t.Errorf("%v had been served when others had their turns, want %v", between, want)
	}
	for i, s := range sinks[:len(sinks)-1] {
		want := "<message to='" + names[i].String() + "' from='r@rooms.test/a' type='groupchat'><body>1</body></message>"
		if len(s.got) != 1 || s.got[0] != want {
			t.Fatalf("%s got %q, want %q", names[i], s.got, want)
		}
	}
	last := sinks[len(sinks)-1].got
	if len(last) != 2 || !strings.Contains(last[0], ">1<") || !strings.Contains(last[1], ">2<") {
		t.Errorf("the last one got %q, want 1 and then 2", last)
	}
}

// Who is gone is told to the room; the addresses are escaped; a filter that
// refuses is heeded.
func TestFanTellsOfGhosts(t *testing.T) {
	var heard []string
	w := newWorld(t, 2, func(p *Plan) {
		p.domains.add(domain{"rooms.test", func(c *feature.Ctx, s *stanza.Stanza) {
			heard = append(heard, s.Kind.String()+" "+s.Type.String()+" "+s.From.String()+" "+s.To.String())
		}})
		p.FilterIn = []feature.Stage{func(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
			if s.To.Local() == "deaf" {
				return feature.Done
			}
			return feature.Continue
		}}
	})
	_, odd := w.login("romeo@test/it's <me>", "")
	_, deaf := w.login("deaf@test/x", "")
	var targets []jid.JID
	for _, full := range []string{"romeo@test/it's <me>", "romeo@test/gone", "nobody@test/x", "deaf@test/x"} {
		targets = append(targets, jid.MustParse(full))
	}
	w.fan("r@rooms.test", "<message from='r@rooms.test/a' type='groupchat'><body>1</body></message>", targets)
	w.fan("r@rooms.test", "<presence from='r@rooms.test/a' type='unavailable'/>", targets[1:2])
	for range 4 {
		w.group.Turn()
	}
	e, err := w.docs[0].Parse([]byte(odd.got[0]), stanza.Client)
	if to, _ := jid.View(e.Attr("to")); err != nil || to != targets[0] {
		t.Errorf("got %q: %v", odd.got, err)
	}
	if deaf.n != 0 {
		t.Errorf("what the filter refuses arrives: %q", deaf.got)
	}
	slices.Sort(heard)
	want := []string{"presence unavailable nobody@test/x r@rooms.test", "presence unavailable romeo@test/gone r@rooms.test"}
	if !slices.Equal(heard, want) {
		t.Errorf("the room hears %q, want %q", heard, want)
	}
}

// White space in tags is where the sender has put it.
func TestFanKnowsWhereTheNameEnds(t *testing.T) {
	w := newWorld(t, 1, nil)
	_, out := w.login("romeo@test/x", "")
	w.fan("r@rooms.test", "<message\n\tid='a b' from='r@rooms.test/a'><body>1</body></message >", []jid.JID{jid.MustParse("romeo@test/x")})
	w.group.Turn()
	if want := "<message to='romeo@test/x'\n\tid='a b' from='r@rooms.test/a'><body>1</body></message >"; len(out.got) != 1 || out.got[0] != want {
		t.Errorf("got %q, want %q", out.got, want)
	}
}

// BenchmarkFan500 is a message of 100 bytes to a room of 500.
func BenchmarkFan500(b *testing.B) {
	w := newWorld(b, 2, nil)
	names, sinks := w.crowd(500)
	for _, s := range sinks {
		s.quiet = true
	}
	body := "<message from='r@rooms.test/a' type='groupchat' id='m1'><body>" + strings.Repeat("x", 100) + "</body></message>"
	b.ReportAllocs()
	for b.Loop() {
		w.fan("r@rooms.test", body, names)
		w.group.Turn()
		w.group.Turn()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/delivery")
}

// promptSink is a client whose socket may be busy, or have a stanza wait for it.
type promptSink struct {
	sink
	busy   bool
	broken bool
	now    int
}

func (s *promptSink) Write(b []byte) { s.busy = true; s.sink.Write(b) }
func (s *promptSink) WriteNow(b []byte) {
	if s.broken {
		panic("another one")
	}
	s.now++
	s.sink.Write(b)
}
func (s *promptSink) Ready() bool { return !s.busy }

// What goes to many leaves at once where nothing waits before it; that of several
// rooms with the same ones in them is collected.
func TestFanIsPrompt(t *testing.T) {
	for messages, want := range []int{1: 1, 2: 0} {
		w := newWorld(t, 1, nil)
		var names []jid.JID
		var sinks []*promptSink
		for i := range 20 {
			j := jid.MustParse(fmt.Sprintf("user%d@test/x", i))
			out := &promptSink{busy: i%2 == 1}
			if _, cond := w.router(j.BareString()).Bind(j.Bare(), j.Resource(), out); cond != stanza.OK {
				t.Fatal(cond)
			}
			names, sinks = append(names, j), append(sinks, out)
		}
		for range messages {
			w.fan("r@rooms.test", "<message from='r@rooms.test/a' type='groupchat'><body>1</body></message>", names)
		}
		w.group.Turn()
		for i, s := range sinks {
			if s.n != messages || s.now != want*(1-i%2) {
				t.Errorf("%d messages: %s got %d, %d of them at once, want %d", messages, names[i], s.n, s.now, want)
			}
		}
	}
}

// A panic costs one target: those that were got ready with it and those after it
// are served all the same, once.
func TestFanSurvivesPanics(t *testing.T) {
	w := newWorld(t, 1, func(p *Plan) {
		p.FilterIn = []feature.Stage{func(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
			if s.To.Local() == "user5" || s.To.Local() == "user19" { // one amid others, and the last one
				panic("a bug of ours")
			}
			return feature.Continue
		}}
	})
	var names []jid.JID
	var sinks []*promptSink
	for i := range 20 {
		j := jid.MustParse(fmt.Sprintf("user%d@test/x", i))
		out := &promptSink{broken: i == 11}
		if _, cond := w.router(j.BareString()).Bind(j.Bare(), j.Resource(), out); cond != stanza.OK {
			t.Fatal(cond)
		}
		names, sinks = append(names, j), append(sinks, out)
	}
	w.fan("r@rooms.test", "<message from='r@rooms.test/a' type='groupchat'><body>1</body></message>", names)
	for range 4 {
		w.group.Turn()
	}
	for i, s := range sinks {
		want := 1
		if i == 5 || i == 11 || i == 19 {
			want = 0
		}
		if s.n != want {
			t.Errorf("%s got %d, want %d", names[i], s.n, want)
		}
	}
}
