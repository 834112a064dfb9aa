package presence_test

import (
	"fmt"
	"strings"
	"testing"

	"meerkat/engine/roster"
	"meerkat/store"
)

// Rule 23: what says "done" goes out after the commit, and so does what others
// hear of it. Meanwhile another client is served.
func TestNothingIsSaidBeforeTheCommit(t *testing.T) {
	for _, c := range []struct{ name, stanza, here, there string }{
		{"roster set", "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='juliet@test'/></query></iq>",
			"<iq type='result' id='1'", ""},
		{"roster push", "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='juliet@test' name='J'/></query></iq>",
			"<item jid='juliet@test' name='J'", ""},
		{"removal", "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='nurse@test' subscription='remove'/></query></iq>",
			"<iq type='result' id='1'", ""},
		{"request", "<presence to='juliet@test' type='subscribe'/>",
			"ask='subscribe'", "type='subscribe'"},
		{"approval", "<presence to='juliet@test' type='subscribed'/>",
			"approved='true'", ""},
		{"a ping behind a stored message", "<message to='nobody-there@test'><body>x</body></message>",
			"<iq type='result' id='p'", ""},
	} {
		t.Run(c.name, func(t *testing.T) { committed(t, c.stanza, c.here, c.there) })
	}
}

func committed(t *testing.T, stanza, here, there string) {
	w := newWorld(t, 2, "romeo@test", "juliet@test", "nurse@test", "nobody-there@test")
	w.roster("romeo@test", roster.Contact{JID: "nurse@test", State: roster.Listed})
	romeo, his := w.login("romeo@test/orchard")
	juliet, hers := w.login("juliet@test/balcony")
	w.send(romeo, "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>", "<presence/>")
	w.send(juliet, "<presence/>")
	his.take()
	hers.take()

	release := make(chan struct{})
	w.store.Update(func(*store.Tx) error { <-release; return nil }, func(error) {})
	w.handle(romeo, stanza)
	w.handle(romeo, "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>")
	w.handle(juliet, "<iq type='get' id='q'><ping xmlns='urn:xmpp:ping'/></iq>")
	w.group.Turn()
	if got := his.take(); strings.Contains(got, here) {
		t.Errorf("before the commit romeo hears %s", got)
	}
	if got := hers.take(); !strings.Contains(got, "id='q'") || there != "" && strings.Contains(got, there) {
		t.Errorf("before the commit juliet hears %q, want the answer to her ping only", got)
	}
	close(release)
	w.settle()
	if got := his.take(); !strings.Contains(got, here) {
		t.Errorf("after the commit romeo hears %q, want %s", got, here)
	}
	if got := hers.take(); !strings.Contains(got, there) {
		t.Errorf("after the commit juliet hears %q, want %s", got, there)
	}
}

// A store that takes nothing is an error to the sender, never a result.
func TestRefusedUpdatesAreErrors(t *testing.T) {
	w := newWorld(t, 2, "romeo@test", "juliet@test")
	w.routers[0].Env().Config.Limits.RosterItems = 1
	w.roster("romeo@test", roster.Contact{JID: "nurse@test", State: roster.Listed})
	romeo, his := w.login("romeo@test/orchard")
	for _, stanza := range []string{
		"<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='juliet@test'/></query></iq>",
		"<presence id='1' to='juliet@test' type='subscribe'/>",
		"<presence id='1' to='juliet@test' type='subscribed'/>",
	} {
		w.send(romeo, stanza)
		if got := his.take(); !strings.Contains(got, "resource-constraint") || strings.Contains(got, "result") {
			t.Errorf("%s is answered with %q, want resource-constraint", stanza, got)
		}
	}
}

// An account that is removed amid what another of its sessions does must leave
// nothing to who comes after it.
func TestNothingIsStoredForARemovedAccount(t *testing.T) {
	w := newWorld(t, 2, "romeo@test", "juliet@test")
	romeo, _ := w.login("romeo@test/orchard")
	w.router("romeo@test").Remove(romeo.Account.JID, func(error) {})
	w.handle(romeo, "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='juliet@test'/></query></iq>")
	w.handle(romeo, "<presence to='juliet@test' type='subscribe'/>")
	w.settle()
	err := w.store.View(func(tx *store.Tx) error {
		if n := roster.Load(tx, "romeo@test").Len(); n != 0 {
			return fmt.Errorf("the roster has %d items", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDirectedPresenceIsBounded(t *testing.T) {
	const most = 1000
	w := newWorld(t, 2, "romeo@test", "juliet@test")
	romeo, his := w.login("romeo@test/orchard")
	for i := range most {
		w.handle(romeo, fmt.Sprintf("<presence to='room%d@test/romeo'/>", i))
	}
	w.settle()
	if got := his.take(); got != "" {
		t.Fatalf("directed presence is answered with %s", got)
	}
	w.send(romeo, "<presence id='1' to='room0@test/romeo'/>", "<presence id='2' to='juliet@test'/>")
	if got := his.take(); !strings.Contains(got, "resource-constraint") || !strings.Contains(got, "id='2'") || strings.Contains(got, "id='1'") {
		t.Errorf("address %d is answered with %q, want resource-constraint", most+1, got)
	}
	w.send(romeo, "<presence to='room0@test/romeo' type='unavailable'/>", "<presence to='juliet@test'/>")
	if got := his.take(); got != "" {
		t.Errorf("with room again the answer is %s", got)
	}
}
