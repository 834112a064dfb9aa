package blocking

import (
	"testing"

	"meerkat/engine/jid"
	"meerkat/store"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		value, who string
		want       bool
	}{
		{"romeo@test/desk", "romeo@test/desk", true},
		{"romeo@test/desk", "romeo@test/phone", false},
		{"romeo@test", "romeo@test/desk", true},
		{"romeo@test", "romeo@test", true},
		{"romeo@test", "juliet@test", false},
		{"test/desk", "test/desk", true},
		{"test/desk", "romeo@test/desk", true},
		{"test/desk", "test/phone", false},
		{"test", "romeo@test/desk", true},
		{"test", "romeo@other", false},
	} {
		if got := matches(c.value, jid.MustParse(c.who)); got != c.want {
			t.Errorf("%s for %s: %v, want %v", c.value, c.who, got, c.want)
		}
	}
}

// Lists that cannot be read must not be taken for none and written over.
func TestDamagedListsAreNotReplaced(t *testing.T) {
	s, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const broken = `{"lists":`
	if err := s.UpdateWait(func(tx *store.Tx) error { return doc.Put(tx, "r@t", []byte(broken)) }); err != nil {
		t.Fatal(err)
	}
	err = s.UpdateWait(func(tx *store.Tx) error {
		l, err := edit(tx, "r@t")
		if err != nil {
			return err
		}
		return l.save(tx, "r@t")
	})
	if err == nil {
		t.Error("an edit of damaged lists is stored")
	}
}

// A list that somebody else's client calls "blocklist" is not written over.
func TestBlockTakesAnUnusedName(t *testing.T) {
	l := &lists{}
	l.put(list{Name: "blocklist", Items: []item{{Deny: true, Order: 7, Kinds: iqs}}})
	l.block([]string{"a@test", "b@test", "a@test"})
	if got := l.blocked(); len(got) != 2 {
		t.Errorf("blocked: %q, want a@test and b@test", got)
	}
	if old := l.find("blocklist"); l.Default == "blocklist" || len(old.Items) != 1 || old.Items[0].Order != 7 {
		t.Errorf("the default list is %q, the one that was there %+v", l.Default, old)
	}
}
