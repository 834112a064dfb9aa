package engine

import (
	"testing"

	"meerkat/engine/config"
	"meerkat/engine/feature/pep"
	"meerkat/engine/jid"
	"meerkat/engine/pubsub"
	"meerkat/engine/roster"
	"meerkat/store"
)

// An account that is removed while nobody serves leaves nothing to who gets its name
// next.
func TestRemovedWhileNobodyServes(t *testing.T) {
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	cfg := config.Default()
	cfg.Domains, cfg.Limits.ScramIterations = []string{"test"}, 4096
	a := OpenAccounts(st, cfg)
	for _, user := range []string{"romeo@test", "juliet@test"} {
		if err := a.Add(user, "secret"); err != nil {
			t.Fatal(err)
		}
	}
	const both = roster.To | roster.From | roster.Listed
	limits := pubsub.Limits{Items: 1}
	host := pep.NewHost(1)
	update := func(fn func(tx *store.Tx) error) {
		t.Helper()
		if err := st.UpdateWait(fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx *store.Tx) error {
		if err := roster.Put(tx, "romeo@test", roster.Build(1, []roster.Contact{{JID: "juliet@test", State: both}, {JID: "nobody@test", State: both}})); err != nil {
			return err
		}
		if err := roster.Put(tx, "juliet@test", roster.Build(1, []roster.Contact{{JID: "romeo@test", State: both}})); err != nil {
			return err
		}
		_, err := host.Publish(tx, limits, "juliet@test", "urn:mood", pubsub.Item{ID: "a"}, nil)
		return err
	})
	if err := a.Remove("romeo@test"); err != nil {
		t.Fatal(err)
	}
	_ = st.View(func(tx *store.Tx) error {
		it, ok := roster.Load(tx, "juliet@test").Find("romeo@test")
		if !ok || it.State != roster.Listed {
			t.Errorf("juliet has romeo as %v, %v, want listed and no more", it.State, ok)
		}
		n, err := pubsub.Find(tx, "juliet@test", "urn:mood")
		if err != nil || host.MayRead(tx, "juliet@test", n, jid.MustParse("romeo@test/x")) {
			t.Errorf("the next romeo may read what was for the last one: %v", err)
		}
		if roster.Load(tx, "nobody@test").Len() != 0 {
			t.Error("who is not there has a roster now")
		}
		return nil
	})
}
