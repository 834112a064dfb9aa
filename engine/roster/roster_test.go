package roster

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"meerkat/engine/stanza"
	"meerkat/store"
)

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func update(t *testing.T, s *store.Store, fn func(tx *store.Tx) error) error {
	t.Helper()
	done := make(chan error)
	s.Update(fn, func(err error) { done <- err })
	return <-done
}

// A map of contacts and the stored form must stay the same under any changes.
func TestStoredFormAgainstModel(t *testing.T) {
	s := open(t)
	model := map[string]Contact{}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 400 {
		jid := fmt.Sprintf("u%02d@test", rnd.IntN(40))
		err := update(t, s, func(tx *store.Tx) error {
			if rnd.IntN(3) == 0 {
				_, err := Remove(tx, "romeo@test", jid)
				return err
			}
			name, groups := fmt.Sprint("name ", i), []string{fmt.Sprint("g", i), "all"}[:rnd.IntN(3)]
			_, err := Set(tx, "romeo@test", jid, name, groups, 0)
			if err == nil {
				model[jid] = Contact{State: Listed, JID: jid, Name: name, Groups: groups}
			}
			return err
		})
		if _, had := model[jid]; errors.Is(err, stanza.ItemNotFound) {
			if had {
				t.Fatalf("change %d: %s is not found, but was set", i, jid)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		sync(t, s, model, jid)
	}
}

// sync removes jid from the model if the store has it no more, then compares.
func sync(t *testing.T, s *store.Store, model map[string]Contact, jid string) {
	t.Helper()
	err := s.View(func(tx *store.Tx) error {
		v := Load(tx, "romeo@test")
		if _, ok := v.Find(jid); !ok {
			delete(model, jid)
		}
		if err := Check(v); err != nil {
			return err
		}
		var got []string
		for it := range v.All() {
			c := it.Clone()
			got = append(got, fmt.Sprint(c.JID, c.Name, c.Groups, c.State))
		}
		var want []string
		for _, c := range model {
			want = append(want, fmt.Sprint(c.JID, c.Name, c.Groups, c.State))
		}
		sort.Strings(want)
		if !slices.Equal(got, want) {
			return fmt.Errorf("stored %v\nwant   %v", got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestVersionCountsWhatClientsSee(t *testing.T) {
	s := open(t)
	steps := []struct {
		name string
		fn   func(tx *store.Tx) (Change, error)
		want uint64
		seen bool
	}{
		{"set", func(tx *store.Tx) (Change, error) { return Set(tx, "r@t", "j@t", "J", nil, 0) }, 1, true},
		{"a request nobody sees in the roster", func(tx *store.Tx) (Change, error) {
			return Inbound(tx, "r@t", "j@t", stanza.Subscribe, []byte("<presence/>"))
		}, 1, false},
		{"granted", func(tx *store.Tx) (Change, error) {
			return Outbound(tx, "r@t", "j@t", stanza.Subscribed, 0)
		}, 2, true},
		{"granted again", func(tx *store.Tx) (Change, error) {
			return Outbound(tx, "r@t", "j@t", stanza.Subscribed, 0)
		}, 2, false},
		{"a stranger asks", func(tx *store.Tx) (Change, error) {
			return Inbound(tx, "r@t", "x@t", stanza.Subscribe, []byte("<presence/>"))
		}, 2, false},
		{"removed", func(tx *store.Tx) (Change, error) { return Remove(tx, "r@t", "j@t") }, 3, true},
	}
	var first uint64
	for _, st := range steps {
		var ch Change
		err := update(t, s, func(tx *store.Tx) (err error) { ch, err = st.fn(tx); return err })
		if first == 0 {
			first = ch.Version - 1
		}
		if err != nil || ch.Version != first+st.want || ch.Seen != st.seen {
			t.Errorf("%s: version %d seen %v error %v, want version %d seen %v", st.name, ch.Version, ch.Seen, err, first+st.want, st.seen)
		}
	}
}

// A client must not take the roster of an account that was made anew for the
// one it knows.
func TestVersionsBeginAnywhere(t *testing.T) {
	s := open(t)
	seen := map[uint64]bool{}
	for i := range 10 {
		err := update(t, s, func(tx *store.Tx) error {
			ch, err := Set(tx, fmt.Sprintf("u%d@t", i), "j@t", "", nil, 0)
			seen[ch.Version] = true
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 10 || seen[0] {
		t.Errorf("ten rosters have the first versions %v", seen)
	}
}

func TestStrangersRequestsAreBounded(t *testing.T) {
	s := open(t)
	long := bytes.Repeat([]byte("x"), maxRequest+1)
	err := update(t, s, func(tx *store.Tx) error {
		for i := range maxStrangers {
			if _, err := Inbound(tx, "r@t", fmt.Sprintf("s%d@t", i), stanza.Subscribe, long); err != nil {
				return err
			}
		}
		if n := len(Load(tx, "r@t")); n > 200*maxStrangers {
			t.Errorf("%d requests make a roster of %d bytes", maxStrangers, n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = update(t, s, func(tx *store.Tx) error {
		_, err := Inbound(tx, "r@t", "more@t", stanza.Subscribe, long)
		return err
	})
	if !errors.Is(err, stanza.ResourceConstraint) {
		t.Errorf("request %d: %v, want resource-constraint", maxStrangers+1, err)
	}
	err = update(t, s, func(tx *store.Tx) error {
		if _, err := Set(tx, "r@t", "friend@t", "", nil, 1); err != nil {
			return err
		}
		ch, err := Inbound(tx, "r@t", "friend@t", stanza.Subscribe, []byte("<presence/>"))
		if string(ch.Contact.Request) != "<presence/>" {
			t.Errorf("a contact's request is kept as %q", ch.Contact.Request)
		}
		return err
	})
	if err != nil {
		t.Errorf("a contact's request, when strangers have no room: %v", err)
	}
}

func TestLimitCountsListedItems(t *testing.T) {
	s := open(t)
	for i := range 3 {
		err := update(t, s, func(tx *store.Tx) error {
			_, err := Set(tx, "r@t", fmt.Sprintf("c%d@t", i), "", nil, 2)
			return err
		})
		if want := i == 2; errors.Is(err, stanza.ResourceConstraint) != want {
			t.Errorf("item %d of at most 2: %v", i+1, err)
		}
	}
	err := update(t, s, func(tx *store.Tx) error {
		_, err := Outbound(tx, "r@t", "new@t", stanza.Subscribe, 2)
		return err
	})
	if !errors.Is(err, stanza.ResourceConstraint) {
		t.Errorf("subscribe with a full roster: %v", err)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(Build(7, []Contact{{State: Listed | To, JID: "a@t", Name: "A", Groups: []string{"g"}}, {State: In, JID: "b@t", Request: []byte("<presence/>")}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= head {
			_ = Check(b) // must not panic
		}
	})
}

// A roster that cannot be read must not be taken for an empty one and written
// over.
func TestDamagedRosterIsNotReplaced(t *testing.T) {
	s := open(t)
	broken := []byte{9, 1, 2, 3}
	if err := update(t, s, func(tx *store.Tx) error { return Put(tx, "r@t", broken) }); err != nil {
		t.Fatal(err)
	}
	for name, fn := range map[string]func(tx *store.Tx) (Change, error){
		"set":      func(tx *store.Tx) (Change, error) { return Set(tx, "r@t", "j@t", "J", nil, 0) },
		"remove":   func(tx *store.Tx) (Change, error) { return Remove(tx, "r@t", "j@t") },
		"outbound": func(tx *store.Tx) (Change, error) { return Outbound(tx, "r@t", "j@t", stanza.Subscribe, 0) },
		"inbound": func(tx *store.Tx) (Change, error) {
			return Inbound(tx, "r@t", "j@t", stanza.Subscribe, []byte("<presence/>"))
		},
	} {
		err := update(t, s, func(tx *store.Tx) error { _, err := fn(tx); return err })
		if !errors.Is(err, errDamaged) {
			t.Errorf("%s: %v, want %v", name, err, errDamaged)
		}
	}
	err := s.View(func(tx *store.Tx) error {
		if got := doc.Get(tx, "r@t"); !slices.Equal(got, broken) {
			t.Errorf("stored is %x, want what was there", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
