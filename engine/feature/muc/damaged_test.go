package muc_test

import (
	"strings"
	"testing"

	"meerkat/engine/feature/muc"
	"meerkat/store"
)

// A room that cannot be read is no room that is not there: nobody makes another
// in its place, and what is left of it stays.
func TestDamagedRoomIsNotReplaced(t *testing.T) {
	w := newWorld(t)
	const broken = `{"settings":`
	err := w.store.UpdateWait(func(tx *store.Tx) error {
		return muc.Records.Put(tx, "r@conference.test", []byte(broken))
	})
	if err != nil {
		t.Fatal(err)
	}
	romeo := w.login("romeo@test/desk")
	romeo.join("romeo")
	if got := romeo.take(); strings.Contains(got, "110") {
		t.Errorf("romeo has entered: %q", got)
	}
	romeo.send("<message type='groupchat' to='r@conference.test'><body>x</body></message>")
	if got := romeo.take(); !strings.Contains(got, "<internal-server-error ") {
		t.Errorf("a message is answered with %q, want internal-server-error", got)
	}
	w.group.Turn()
	err = w.store.View(func(tx *store.Tx) error {
		if got := string(muc.Records.Get(tx, "r@conference.test")); got != broken {
			t.Errorf("stored is %q, want what was there", got)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// So is one of whose people something unknown is stored.
func TestDamagedAffiliationIsNoRoom(t *testing.T) {
	w := newWorld(t)
	romeo := w.login("romeo@test/desk")
	romeo.join("romeo")
	romeo.configure(lasting)
	w.settle()
	romeo.send("<presence type='unavailable' to='r@conference.test/romeo'/>")
	w.settle()
	if err := w.store.UpdateWait(func(tx *store.Tx) error {
		return muc.Affiliations.Put(tx, "r@conference.test", "juliet@test", []byte{100})
	}); err != nil {
		t.Fatal(err)
	}
	romeo.take()
	romeo.join("romeo")
	if got := romeo.take(); !strings.Contains(got, "<internal-server-error") {
		t.Errorf("entering is answered with %q, want internal-server-error", got)
	}
}
