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
