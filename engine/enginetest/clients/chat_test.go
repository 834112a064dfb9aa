//go:build interop

package clients

import (
	"syscall"
	"testing"
)

// quick makes logins cheap for those clients that derive keys in a script.
const quick = "limits.scram_iterations = 4096"

// TestChat: two clients become contacts of each other, see each other's
// presence, and send each other a thousand messages at the same time.
func TestChat(t *testing.T) {
	for _, p := range pairs {
		t.Run(p[0].name+"-"+p[1].name, func(t *testing.T) {
			s := newServer(t, quick)
			s.add("romeo", "juliet")
			romeo, juliet := p[0].available(t, s, "romeo"), p[1].available(t, s, "juliet")
			befriend(t, romeo, juliet)
			seeEachOther(t, romeo, juliet)

			const many = 1000
			romeo.do(command{Do: "send", To: juliet.jid, Body: "to the full address", N: many})
			juliet.do(command{Do: "send", To: romeo.bare(), Body: "to the bare address", N: many})
			juliet.messages(romeo, "to the full address", many, false)
			romeo.messages(juliet, "to the bare address", many, false)
			romeo.nothingMore()
			juliet.nothingMore()
		})
	}
}

// befriend subscribes both ways (RFC 6121 §3.1).
func befriend(t *testing.T, a, b *client) {
	t.Helper()
	for _, way := range [][2]*client{{a, b}, {b, a}} {
		asks, agrees := way[0], way[1]
		asks.do(command{Do: "presence", Type: "subscribe", To: agrees.bare()})
		agrees.presence("subscribe", asks.bare())
		agrees.do(command{Do: "presence", Type: "subscribed", To: asks.bare()})
		asks.presence("subscribed", agrees.bare())
		asks.presence("", agrees.jid)
	}
	for _, way := range [][2]*client{{a, b}, {b, a}} {
		e := way[0].ask(command{Do: "roster"}, "roster")
		if got := e.Items[way[1].bare()].Subscription; got != "both" || len(e.Items) != 1 {
			t.Errorf("roster of %s: got %v, want both", way[0].jid, e.Items)
		}
	}
}

// seeEachOther changes the presence of both, and lets one go and come again.
func seeEachOther(t *testing.T, a, b *client) {
	t.Helper()
	for _, way := range [][2]*client{{a, b}, {b, a}} {
		way[0].do(command{Do: "presence", Show: "dnd", Status: "in a duel"})
		e := way[1].take("presence dnd", func(e *event) bool { return e.Event == "presence" && e.Show == "dnd" && e.From == way[0].jid })
		if e.Status != "in a duel" {
			t.Errorf("%s sees %+v of %s", way[1].jid, e, way[0].jid)
		}
	}
	b.do(command{Do: "presence", Type: "unavailable"})
	a.presence("unavailable", b.jid)
	b.do(command{Do: "presence"})
	a.presence("", b.jid)
	b.presence("", a.jid) // the answer to the probe
}

// TestOffline: what was sent to somebody who is away comes after a restart of
// the server, in order, once, with the time of its sending (XEP-0160, XEP-0203).
func TestOffline(t *testing.T) {
	for name, end := range map[string]func(*server){"sigterm": (*server).stop, "kill": (*server).kill} {
		for _, p := range pairs {
			t.Run(name+"/"+p[0].name+"-"+p[1].name, func(t *testing.T) { offline(t, p, end) })
		}
	}
}

// stop sends SIGTERM, and wants a good end within the 10 s that a drain may take.
func (s *server) stop() {
	s.t.Helper()
	if err := s.end(syscall.SIGTERM); err != nil {
		s.t.Fatalf("after SIGTERM: %v; it says:\n%s", err, s.logs)
	}
}

func offline(t *testing.T, p [2]kind, end func(*server)) {
	s := newServer(t, quick)
	s.add("romeo", "juliet")
	romeo, juliet := p[0].available(t, s, "romeo"), p[1].available(t, s, "juliet")
	befriend(t, romeo, juliet)
	juliet.ask(command{Do: "logout"}, "offline")
	romeo.presence("unavailable", juliet.jid)

	const many = 300
	romeo.do(command{Do: "send", To: juliet.bare(), Body: "while you were away", N: many})
	romeo.ask(command{Do: "ping", To: domain}, "pong") // all that came before is on disk
	before := romeo

	end(s)
	s.start()
	juliet = p[1].available(t, s, "juliet")
	juliet.messages(before, "while you were away", many, true)
	juliet.nothingMore()

	romeo = p[0].available(t, s, "romeo")
	romeo.presence("", juliet.jid) // the roster has outlived the server
	juliet.presence("", romeo.jid)
	juliet.do(command{Do: "send", To: romeo.jid, Body: "here I am", N: 3})
	romeo.messages(juliet, "here I am", 3, false)

	juliet.ask(command{Do: "logout"}, "offline")
	again := p[1].available(t, s, "juliet")
	again.nothingMore()
}
