package store

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

var errOnPurpose = errors.New("on purpose")

// model is what a store should hold, in plain maps.
type model struct {
	doc  map[string]string
	m    map[string]map[string]string
	log  map[string][]entry
	last uint64 // the largest id of the log
}

type entry struct {
	id uint64
	v  string
}

func newModel() *model {
	return &model{doc: map[string]string{}, m: map[string]map[string]string{}, log: map[string][]entry{}}
}

func (m *model) clone() *model {
	c := newModel()
	c.doc, c.last = maps.Clone(m.doc), m.last
	for o, kv := range m.m {
		c.m[o] = maps.Clone(kv)
	}
	for o, es := range m.log {
		c.log[o] = slices.Clone(es)
	}
	return c
}

// step does one random thing to the store and to m. It runs inside of an update.
func (m *model) step(s *Store, tx *Tx, r *rand.Rand) error {
	o := []string{"a", "a!", "ab", "b", "b\x01"}[r.IntN(5)]
	k := fmt.Sprint("k\x00"[:1+r.IntN(2)], r.IntN(8))
	v := strings.Repeat(fmt.Sprint(r.Uint64()), 1+r.IntN(1+r.IntN(100)))
	switch r.IntN(11) {
	case 0, 1:
		m.doc[o] = v
		return testDoc.Put(tx, o, []byte(v))
	case 2:
		delete(m.doc, o)
		return testDoc.Delete(tx, o)
	case 3, 4:
		if m.m[o] == nil {
			m.m[o] = map[string]string{}
		}
		m.m[o][k] = v
		return testMap.Put(tx, o, k, []byte(v))
	case 5:
		delete(m.m[o], k)
		return testMap.Delete(tx, o, k)
	case 6, 7, 8:
		return m.append(tx, o, v)
	case 9:
		return m.shorten(tx, o, r)
	}
	return m.remove(s, tx, o, r)
}

func (m *model) append(tx *Tx, o, v string) error {
	bytes := 0
	for _, e := range m.log[o] {
		bytes += len(e.v)
	}
	want := error(nil)
	switch {
	case len(v) > 4000:
		want = ErrTooLarge
	case len(m.log[o]) == 5 || bytes+len(v) > 4000:
		want = ErrFull
	}
	id, err := testLog.Append(tx, o, []byte(v))
	if !errors.Is(err, want) {
		return fmt.Errorf("Append of %d bytes to %d entries of %d bytes: %v, want %v", len(v), len(m.log[o]), bytes, err, want)
	}
	if err != nil {
		return nil
	}
	if id <= m.last {
		return fmt.Errorf("Append gave id %d after %d", id, m.last)
	}
	m.last = id
	m.log[o] = append(m.log[o], entry{id, v})
	return nil
}

func (m *model) shorten(tx *Tx, o string, r *rand.Rand) error {
	if len(m.log[o]) == 0 {
		return testLog.Delete(tx, o, 1)
	}
	i := r.IntN(len(m.log[o]))
	id := m.log[o][i].id
	if r.IntN(2) == 0 {
		m.log[o] = slices.Delete(slices.Clone(m.log[o]), i, i+1)
		return testLog.Delete(tx, o, id)
	}
	m.log[o] = m.log[o][i+1:]
	return testLog.DeleteUpTo(tx, o, id)
}

func (m *model) remove(s *Store, tx *Tx, o string, r *rand.Rand) error {
	n := r.IntN(3)
	if n != 1 {
		delete(m.m, o)
	}
	if n != 0 {
		delete(m.log, o)
	}
	switch n {
	case 0:
		return testMap.DeleteAll(tx, o)
	case 1:
		return testLog.DeleteAll(tx, o)
	}
	delete(m.doc, o)
	return s.RemoveOwner(tx, o)
}

// dump is all that a model holds, as text.
func (m *model) dump() string {
	var b strings.Builder
	for _, o := range slices.Sorted(maps.Keys(m.doc)) {
		fmt.Fprintf(&b, "doc %q %s\n", o, m.doc[o])
	}
	for _, o := range slices.Sorted(maps.Keys(m.m)) {
		for _, k := range slices.Sorted(maps.Keys(m.m[o])) {
			fmt.Fprintf(&b, "map %q %q %d %s\n", o, k, len(m.m[o]), m.m[o][k])
		}
	}
	for _, o := range slices.Sorted(maps.Keys(m.log)) {
		size := 0
		for _, e := range m.log[o] {
			size += len(e.v)
		}
		for _, e := range m.log[o] {
			fmt.Fprintf(&b, "log %q %d %d %d %s\n", o, e.id, len(m.log[o]), size, e.v)
		}
	}
	return b.String()
}

// dump is all that a store holds, in the words of model.dump.
func dump(t *testing.T, s *Store) string {
	t.Helper()
	var b strings.Builder
	err := s.View(func(tx *Tx) error {
		docs := testDoc.Each(tx, func(o string, v []byte) error {
			fmt.Fprintf(&b, "doc %q %s\n", o, v)
			return nil
		})
		pairs := testMap.Owners(tx, "", func(o string) error {
			return testMap.Each(tx, o, func(k string, v []byte) error {
				fmt.Fprintf(&b, "map %q %q %d %s\n", o, k, testMap.Len(tx, o), v)
				return nil
			})
		})
		entries := testLog.Owners(tx, "", func(o string) error {
			return testLog.Each(tx, o, 0, func(id uint64, v []byte) error {
				fmt.Fprintf(&b, "log %q %d %d %d %s\n", o, id, testLog.Len(tx, o), testLog.Bytes(tx, o), v)
				return nil
			})
		})
		return errors.Join(docs, pairs, entries)
	})
	if err != nil {
		t.Fatalf("View: %v", err)
	}
	return b.String()
}

// TestStoreHoldsWhatTheModelHolds does random things to a store and to a model,
// many updates in flight, some of them failing after they have written, and now
// and then opens the store anew.
func TestStoreHoldsWhatTheModelHolds(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) { playModel(t, seed) })
	}
}

func playModel(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	s := openTest(t, dir)
	m := newModel() // touched by the writer's goroutine until burst has waited
	for range 15 {
		m = burst(t, s, m, r)
		if got, want := dump(t, s), m.dump(); got != want {
			t.Fatalf("seed %d: store:\n%smodel:\n%s", seed, got, want)
		}
		if r.IntN(3) == 0 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := Check(dir); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			s = openTest(t, dir)
		}
	}
}

// burst queues random updates, waits for all, and returns the model after them.
func burst(t *testing.T, s *Store, m *model, r *rand.Rand) *model {
	n := 1 + r.IntN(60)
	answers := make(chan error, n)
	for range n {
		steps, spoil := 1+r.IntN(6), r.IntN(4) == 0
		r := rand.New(rand.NewPCG(r.Uint64(), 2)) // the writer's own
		s.Update(func(tx *Tx) error {
			next := m.clone()
			for range steps {
				if err := next.step(s, tx, r); err != nil {
					return err
				}
			}
			if spoil {
				m.last = next.last // ids are not given twice, even so
				return errOnPurpose
			}
			m = next
			return nil
		}, func(err error) {
			if spoil && !errors.Is(err, errOnPurpose) || !spoil && err != nil {
				t.Errorf("update: %v, spoilt %v", err, spoil)
			}
			answers <- err
		})
	}
	for range n {
		<-answers
	}
	return m
}
