package presence_test

import (
	"testing"

	"meerkat/engine/account"
	"meerkat/engine/roster"
)

const friends = roster.To | roster.From | roster.Listed

// crowd is romeo with 100 contacts, all of them there, on two loops.
func crowd(t testing.TB) (w *world, romeo *account.Session, out *sink, others []*sink) {
	list, users := contacts(100, friends)
	w = newWorld(t, 2, append(users, "romeo@test")...)
	w.roster("romeo@test", list...)
	for _, u := range users {
		w.roster(u, roster.Contact{JID: "romeo@test", State: friends})
		s, there := w.login(u + "/x")
		w.send(s, "<presence/>")
		there.quiet = true
		others = append(others, there)
	}
	romeo, out = w.login("romeo@test/orchard")
	out.quiet = true
	w.send(romeo, "<presence/>")
	return w, romeo, out, others
}

func heard(others []*sink) (n int) {
	for _, o := range others {
		n += o.n
	}
	return n
}

// One presence that 100 contacts get: a handful of allocations for all of them.
func TestBroadcastHardlyAllocates(t *testing.T) {
	w, romeo, _, others := crowd(t)
	before := heard(others)
	e, err := w.doc.Parse([]byte("<presence><show>away</show></presence>"), "jabber:client")
	if err != nil {
		t.Fatal(err)
	}
	r := w.router("romeo@test")
	once := func() {
		r.Handle(romeo, e)
		w.group.Turn()
	}
	n := testing.AllocsPerRun(50, once)
	if got := heard(others) - before; got != 51*100 {
		t.Fatalf("%d presences were delivered, want %d", got, 51*100)
	}
	if n > 20 {
		t.Errorf("%v allocations for 100 deliveries, want at most 20", n)
	}
}

// A login: 100 contacts get presence, and theirs comes back. What is left to
// allocate is bbolt's, a look into each contact's roster.
func TestLoginHardlyAllocates(t *testing.T) {
	w, romeo, out, _ := crowd(t)
	n := testing.AllocsPerRun(50, func() {
		w.handle(romeo, "<presence type='unavailable'/>")
		w.group.Turn()
		out.n = 0
		w.handle(romeo, "<presence/>")
		w.group.Turn()
	})
	if out.n != 101 {
		t.Fatalf("%d presences came back, want 101", out.n)
	}
	if n > 450 { // about 260, more with the race detector, which empties pools
		t.Errorf("%v allocations for 200 deliveries and 100 answers, want at most 450", n)
	}
}

// BenchmarkPresence100 is what 100 contacts that are there cost: a change of
// status, and a session that goes and comes.
func BenchmarkPresence100(b *testing.B) {
	for _, c := range []struct {
		name       string
		stanzas    []string
		deliveries float64
	}{
		{"update", []string{"<presence><show>away</show></presence>"}, 100},
		{"login", []string{"<presence type='unavailable'/>", "<presence/>"}, 300},
	} {
		b.Run(c.name, func(b *testing.B) {
			w, romeo, _, _ := crowd(b)
			b.ReportAllocs()
			for b.Loop() {
				for _, s := range c.stanzas {
					w.handle(romeo, s)
				}
				w.group.Turn()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/c.deliveries, "ns/delivery")
		})
	}
}
