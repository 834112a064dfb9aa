package pubsub

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"meerkat/store"
)

func open(t testing.TB) *store.Store {
	t.Helper()
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

const (
	juliet = "juliet@test"
	mood   = "urn:mood"
)

var personal = New(1, Host{Personal: true, Default: PersonalConfig})

// model is what a node should have: ids in the order of publication.
type model struct {
	ids   []string
	sizes map[string]int
}

func (m *model) publish(id string, size, most int) {
	m.remove(id)
	m.ids = append(m.ids, id)
	m.sizes[id] = size
	for len(m.ids) > most {
		m.remove(m.ids[0])
	}
}

func (m *model) remove(id string) {
	if i := slices.Index(m.ids, id); i >= 0 {
		m.ids = slices.Delete(m.ids, i, i+1)
		delete(m.sizes, id)
	}
}

func (m *model) bytes() (n uint64) {
	for id, size := range m.sizes {
		n += uint64(len(id) + size)
	}
	return n
}

// Whatever is published and retracted in any order: the node has what a list
// would have, and counts right.
func TestNodeIsAListOfItems(t *testing.T) {
	st := open(t)
	const most = 5
	lim := Limits{Items: most}
	cfg := PersonalConfig
	cfg.MaxItems = Max
	m := model{sizes: map[string]int{}}
	rnd := rand.New(rand.NewPCG(1, 2))
	for step := range 400 {
		id := fmt.Sprint(rnd.IntN(8))
		payload := make([]byte, rnd.IntN(50))
		gone := rnd.IntN(3) == 0
		err := st.UpdateWait(func(tx *store.Tx) error {
			if gone {
				ev, err := personal.Retract(tx, juliet, mood, id)
				if (ev != nil) != slices.Contains(m.ids, id) {
					return fmt.Errorf("retracting %s says %v, there are %q", id, ev != nil, m.ids)
				}
				return err
			}
			_, err := personal.Publish(tx, lim, juliet, mood, Item{ID: id, Payload: payload, Time: time.Unix(int64(step), 0)}, &cfg)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if gone {
			m.remove(id)
		} else {
			m.publish(id, len(payload), most)
		}
		m.check(t, st, step)
	}
}

func (m *model) check(t *testing.T, st *store.Store, step int) {
	t.Helper()
	err := st.View(func(tx *store.Tx) error {
		n, err := Find(tx, juliet, mood)
		if n == nil {
			if len(m.ids) > 0 || Has(tx, juliet) {
				return errors.New("there is no node")
			}
			return err
		}
		var ids []string
		if err := n.EachItem(tx, juliet, func(it Item) error { ids = append(ids, it.ID); return nil }); err != nil {
			return err
		}
		last, ok := n.LastItem(tx, juliet)
		tally := readTally(tx, juliet)
		switch {
		case !slices.Equal(ids, m.ids):
			return fmt.Errorf("items %q, want %q", ids, m.ids)
		case n.Count() != len(ids) || n.bytes != m.bytes() || tally.bytes != m.bytes() || tally.nodes != 1:
			return fmt.Errorf("%d items of %d bytes, tally %v; want %d of %d", n.Count(), n.bytes, tally, len(ids), m.bytes())
		case ok != (len(ids) > 0) || ok && last.ID != ids[len(ids)-1]:
			return fmt.Errorf("the last item is %q of %q", last.ID, ids)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("step %d: %v", step, err)
	}
}

// A node that is removed leaves nothing.
func TestRemovedNodeLeavesNothing(t *testing.T) {
	st := open(t)
	err := st.UpdateWait(func(tx *store.Tx) error {
		for _, name := range []string{mood, mood + "2"} {
			if _, err := personal.Publish(tx, Limits{Items: 1}, juliet, name, Item{ID: "a", Payload: []byte("<x/>")}, nil); err != nil {
				return err
			}
		}
		n, err := Find(tx, juliet, mood)
		if err != nil {
			return err
		}
		if err := n.setState(tx, juliet, "romeo@test/x", Subscribed); err != nil {
			return err
		}
		if err := setAffiliation(tx, juliet, mood, "romeo@test", Member); err != nil {
			return err
		}
		return n.remove(tx, juliet)
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = st.View(func(tx *store.Tx) error {
		for name, m := range map[string]store.Map{"items": items, "numbers": numbers, "nodes": nodes} {
			if n := m.Len(tx, juliet); n != 1 {
				t.Errorf("%s has %d keys, want that of the other node", name, n)
			}
		}
		for _, r := range []relation{affiliations, subscriptions} {
			if r.byNode.Len(tx, juliet)+r.byWho.Len(tx, "romeo@test") != 0 {
				t.Error("somebody is still something to the node")
			}
		}
		if got, want := readTally(tx, juliet), (tally{1, 5}); got != want {
			t.Errorf("tally %v, want %v", got, want)
		}
		return nil
	})
}

// An update that a limit refuses leaves nothing behind either.
func TestLimitsRefuseWhole(t *testing.T) {
	st := open(t)
	put := func(lim Limits, node string, size int) error {
		return st.UpdateWait(func(tx *store.Tx) error {
			_, err := personal.Publish(tx, lim, juliet, node, Item{ID: "a", Payload: make([]byte, size)}, nil)
			return err
		})
	}
	for _, c := range []struct {
		lim  Limits
		node string
		size int
		want error
	}{
		{Limits{Items: 1, Nodes: 1}, "a", 10, nil},
		{Limits{Items: 1, Nodes: 1}, "b", 10, limitError(fullNodes)},
		{Limits{Items: 1, ItemBytes: 20}, "a", 21, limitError(fullItemBytes)},
		{Limits{Items: 1, Bytes: 30}, "a", 30, limitError(fullBytes)},
		{Limits{Items: 1, Bytes: 30}, "b", 20, limitError(fullBytes)},
		{Limits{Items: 1, Bytes: 30}, "a", 29, nil},
	} {
		if err := put(c.lim, c.node, c.size); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c, err, c.want)
		}
	}
	_ = st.View(func(tx *store.Tx) error {
		if got, want := readTally(tx, juliet), (tally{1, 30}); got != want {
			t.Errorf("tally %v, want %v", got, want)
		}
		return nil
	})
}

func TestStoredNodeIsWhatItWas(t *testing.T) {
	n := &Node{Name: mood, Config: ServiceConfig, Created: 12, seq: 3, last: 2, count: 1, bytes: 99, subs: 7}
	n.Title, n.Groups, n.MaxItems, n.NotifySub = "Moods", []string{"a", ""}, Max, true
	got, err := parseNode(mood, n.append(nil))
	if err != nil {
		t.Fatal(err)
	}
	if string(got.append(nil)) != string(n.append(nil)) || !got.equal(&n.Config) {
		t.Errorf("%+v came back as %+v", n, got)
	}
}

func FuzzParseNode(f *testing.F) {
	f.Add((&Node{Config: PersonalConfig}).append(nil))
	f.Fuzz(func(t *testing.T, v []byte) {
		n, err := parseNode("x", v)
		if err != nil {
			return
		}
		if again, err := parseNode("x", n.append(nil)); err != nil || !again.equal(&n.Config) {
			t.Errorf("%+v does not come back: %v", n, err)
		}
		_, _ = parseItem(v)
	})
}
