package muc_test

import (
	"strings"
	"testing"

	"meerkat/engine/auth"
	"meerkat/engine/jid"
	"meerkat/store"
)

// remove ends an account.
func (c *client) remove() {
	c.w.t.Helper()
	owner := c.s.Account.JID
	done := make(chan error, 1)
	at := c.w.group.For(owner.String())
	at.Post(func() { c.w.routers[at.Index].Remove(owner, func(err error) { done <- err }) })
	c.w.settle()
	if err := <-done; err != nil {
		c.w.t.Fatal(err)
	}
	c.w.settle()
}

// Who gets the name of a removed account is nobody to rooms, whether these last,
// are in memory or not; who is banned stays banned.
func TestRemovedAccountLeavesNothingInRooms(t *testing.T) {
	w := newWorld(t)
	create := func(tx *store.Tx) error {
		return auth.NewAccounts(w.store).Create(tx, jid.MustParse("tybalt@test"), &auth.Credentials{})
	}
	if err := w.store.UpdateWait(create); err != nil {
		t.Fatal(err)
	}
	romeo, tybalt := w.login("romeo@test/x"), w.login("tybalt@test/x")
	for _, room := range []string{"kept", "empty", "passing", "banned"} {
		enter := "<presence to='" + room + "@conference.test/%'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
		fields := lasting
		if room == "passing" {
			fields = ""
		}
		tybalt.send(strings.ReplaceAll(enter, "%", "tybalt"))
		tybalt.send("<iq type='set' id='c' to='" + room + "@conference.test'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>" + fields + "</x></query></iq>")
		w.settle()
		if room == "banned" {
			admin := "<iq type='set' id='a' to='banned@conference.test'><query xmlns='http://jabber.org/protocol/muc#admin'><item jid='%'/></query></iq>"
			tybalt.send(strings.ReplaceAll(admin, "%'", "romeo@test' affiliation='owner'"))
			w.settle()
			romeo.send(strings.ReplaceAll(admin, "%'", "tybalt@test' affiliation='outcast'"))
			w.settle()
		}
		if room == "empty" {
			tybalt.send("<presence type='unavailable' to='empty@conference.test/tybalt'/>")
			continue
		}
		romeo.send(strings.ReplaceAll(enter, "%", "romeo"))
		w.settle()
	}
	romeo.take()
	tybalt.remove()
	if err := w.store.UpdateWait(create); err != nil {
		t.Fatal(err)
	}
	if got := romeo.take(); strings.Count(got, "affiliation='none'") < 2 {
		t.Errorf("who is there hears %s", got)
	}
	again := w.login("tybalt@test/again")
	for _, room := range []string{"kept", "empty", "passing"} {
		again.take()
		again.send("<iq type='get' id='o' to='" + room + "@conference.test'><query xmlns='http://jabber.org/protocol/muc#owner'/></iq>")
		w.settle()
		if got := again.take(); !strings.Contains(got, "<forbidden") {
			t.Errorf("%s: the next tybalt gets %s", room, got)
		}
	}
	again.send("<presence to='banned@conference.test/t'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
	w.settle()
	if got := again.take(); !strings.Contains(got, "<forbidden") {
		t.Errorf("a ban is evaded: %s", got)
	}
}
