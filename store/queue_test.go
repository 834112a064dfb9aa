package store

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var (
	testParents = NewMap("test-parents")
	testQueue   = NewQueue("test-queue", testParents)
)

// smallSegments makes segments small for a test. It comes before the store is
// opened, so that the store is closed first.
func smallSegments(t testing.TB, size int64) {
	old := segmentSize
	segmentSize = size
	t.Cleanup(func() { segmentSize = old })
}

// crash returns a copy of the store in dir as it is on disk now, which is what a
// crash would leave of it. Nothing may be written meanwhile.
func crash(t testing.TB, s *Store) (dir string) {
	t.Helper()
	s.journal.jobs.wait()
	s.archive.jobs.wait()
	dir = filepath.Join(t.TempDir(), "crash")
	if err := os.CopyFS(dir, os.DirFS(s.opt.Dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// reopen closes s and opens its directory.
func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openTest(t, s.opt.Dir)
}

// putParent puts the key that the values of owner's id belong to.
func putParent(owner string, id uint64) func(*Tx) error {
	return func(tx *Tx) error { return testParents.Put(tx, owner, QueueKey(id), nil) }
}

// journalled returns an update of records.
func journalled(fn func(r *Records) error) func(*Tx) error {
	return func(tx *Tx) error {
		r := new(Records)
		return errors.Join(fn(r), tx.Journal(r))
	}
}

// queued is what main.db has of owner's id, as text.
func queued(t testing.TB, s *Store, owner string, id uint64) string {
	t.Helper()
	var b strings.Builder
	err := s.View(func(tx *Tx) error {
		if n, ok := testQueue.Counted(tx, owner, id); ok {
			fmt.Fprintf(&b, "counted %d\n", n)
		}
		return testQueue.Each(tx, owner, id, func(n uint64, v []byte) error {
			if got := testQueue.Get(tx, owner, id, n); string(got) != string(v) {
				t.Errorf("Get %d: %q, want %q", n, got, v)
			}
			fmt.Fprintf(&b, "%d %s\n", n, v)
			return nil
		})
	})
	if err != nil {
		t.Errorf("View: %v", err)
	}
	return b.String()
}

// queueModel is what queues should hold, by id.
type queueModel struct {
	ids  map[uint64]*queueState
	last uint64 // id
}

type queueState struct {
	owner   string
	dead    bool
	wraps   bool // its numbers have 32 bits
	next    uint64
	values  map[uint64]string
	count   uint64
	counted bool
}

func (m *queueModel) clone() *queueModel {
	c := &queueModel{map[uint64]*queueState{}, m.last}
	for id, q := range m.ids {
		one := *q
		one.values = maps.Clone(q.values)
		c.ids[id] = &one
	}
	return c
}

func (q *queueState) number(n uint64) uint64 {
	if q.wraps {
		return uint64(uint32(n))
	}
	return n
}

// some returns the number of one of the last values there were.
func (q *queueState) some(r *rand.Rand) uint64 { return q.number(q.next - 1 - r.Uint64N(12)) }

func (q *queueState) forget(upTo uint64) {
	maps.DeleteFunc(q.values, func(n uint64, _ string) bool { return reached(n, upTo) })
}

func (q *queueState) put(r *rand.Rand) (n uint64, v []byte) {
	n, v = q.number(q.next), []byte(strings.Repeat(fmt.Sprint(r.Uint32(), " "), r.IntN(20)))
	q.next++
	q.values[n] = string(v)
	return n, v
}

// countTo returns a number to count up to, later than the last.
func (q *queueState) countTo(r *rand.Rand) uint64 {
	n := q.some(r)
	if q.counted && reached(n, q.count) {
		n = q.count
	}
	q.count, q.counted = n, true
	q.forget(n)
	return n
}

// dump is what a queue is to hold, in the words of queued.
func (q *queueState) dump() string {
	var b strings.Builder
	if q.counted {
		fmt.Fprintf(&b, "counted %d\n", q.count)
	}
	for _, n := range slices.Sorted(maps.Keys(q.values)) {
		fmt.Fprintf(&b, "%d %s\n", n, q.values[n])
	}
	return b.String()
}

// step does one random thing to the store and to m, inside of an update.
func (m *queueModel) step(s *Store, tx *Tx, rec *Records, r *rand.Rand) error {
	ids := slices.Sorted(maps.Keys(m.ids))
	if len(ids) == 0 || r.IntN(40) == 0 {
		return m.add(tx, r)
	}
	id := ids[max(0, len(ids)-1-r.IntN(6))]
	q := m.ids[id]
	if q.dead {
		return errors.Join(testQueue.Put(rec, q.owner, id, q.next, []byte("too late")), testQueue.Count(rec, q.owner, id, q.next))
	}
	switch r.IntN(24) {
	case 0, 1, 2:
		n := q.some(r)
		q.forget(n)
		return testQueue.Forget(rec, q.owner, id, n)
	case 3, 4:
		return testQueue.Count(rec, q.owner, id, q.countTo(r))
	case 5:
		n, v := q.put(r)
		return testQueue.Keep(tx, q.owner, id, n, v)
	case 6: // once more, what is in the journal
		for n, v := range q.values {
			return testQueue.Keep(tx, q.owner, id, n, []byte(v))
		}
		return nil
	case 7:
		return testQueue.KeepCount(tx, q.owner, id, q.countTo(r))
	case 8:
		return m.kill(s, tx, id, r)
	}
	n, v := q.put(r)
	return testQueue.Put(rec, q.owner, id, n, v[:len(v)/2], nil, v[len(v)/2:])
}

func (m *queueModel) add(tx *Tx, r *rand.Rand) error {
	m.last += 1 + r.Uint64N(1<<20)
	q := &queueState{owner: []string{"a", "a!", "b"}[r.IntN(3)], values: map[uint64]string{}, next: 1<<32 - r.Uint64N(100), wraps: r.IntN(2) == 0}
	m.ids[m.last] = q
	return putParent(q.owner, m.last)(tx)
}

// kill removes the key of an id, or all of its owner.
func (m *queueModel) kill(s *Store, tx *Tx, id uint64, r *rand.Rand) error {
	q := m.ids[id]
	if r.IntN(4) > 0 {
		*q = queueState{owner: q.owner, dead: true}
		return errors.Join(testParents.Delete(tx, q.owner, QueueKey(id)), testQueue.Drop(tx, q.owner, id))
	}
	for _, other := range m.ids {
		if other.owner == q.owner {
			*other = queueState{owner: q.owner, dead: true}
		}
	}
	return s.RemoveOwner(tx, q.owner)
}

// compare fails the test if s has anything else than m.
func (m *queueModel) compare(t *testing.T, s *Store) {
	t.Helper()
	for id, q := range m.ids {
		if got, want := queued(t, s, q.owner, id), q.dump(); got != want {
			t.Fatalf("%s %d, dead %v: store:\n%smodel:\n%s", q.owner, id, q.dead, got, want)
		}
	}
}

// TestQueuesHoldWhatTheModelHolds does random things to queues and to a model, in
// segments of a few updates. After a crash and after Close the store holds what
// the model does.
func TestQueuesHoldWhatTheModelHolds(t *testing.T) {
	smallSegments(t, 2000)
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) { playQueues(t, seed) })
	}
}

func playQueues(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	s := openTest(t, t.TempDir())
	m := &queueModel{ids: map[uint64]*queueState{}}
	for range 7 {
		m = queueBurst(t, s, m, r)
		switch r.IntN(3) {
		case 0:
			dir := crash(t, s)
			if err := Check(dir); err != nil {
				t.Fatal(err)
			}
			after := openTest(t, dir)
			m.compare(t, after)
			m.compare(t, reopen(t, after))
		case 1:
			s = reopen(t, s)
			m.compare(t, s)
		}
	}
	s = reopen(t, s)
	m.compare(t, s)
}

// queueBurst queues random updates, some of which fail, waits for all, and returns
// the model after them.
func queueBurst(t *testing.T, s *Store, m *queueModel, r *rand.Rand) *queueModel {
	n := 1 + r.IntN(100)
	answers := make(chan error, n)
	for range n {
		steps, spoil := 1+r.IntN(6), r.IntN(4) == 0
		r := rand.New(rand.NewPCG(r.Uint64(), 4)) // the writer's own
		s.Update(func(tx *Tx) error {
			next, rec := m.clone(), new(Records)
			for range steps {
				if err := next.step(s, tx, rec, r); err != nil {
					return err
				}
			}
			if err := tx.Journal(rec); err != nil || spoil {
				return errors.Join(err, errOnPurpose)
			}
			m = next
			return nil
		}, func(err error) {
			if spoil != errors.Is(err, errOnPurpose) || !spoil && err != nil {
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

// TestNumbersOfQueuesWrap: 0 is later than 2^32-1.
func TestNumbersOfQueuesWrap(t *testing.T) {
	const last = 1<<32 - 1
	s := openTest(t, t.TempDir())
	must(t, s, putParent("o", 1))
	put := func(r *Records) error {
		for _, n := range []uint64{last - 1, last, 0, 1} {
			if err := testQueue.Put(r, "o", 1, n, fmt.Appendf(nil, "v%d", n)); err != nil {
				return err
			}
		}
		return testQueue.Count(r, "o", 1, last-1)
	}
	must(t, s, journalled(put))
	must(t, s, journalled(func(r *Records) error {
		return errors.Join(testQueue.Count(r, "o", 1, 0), testQueue.Count(r, "o", 1, last))
	}))
	s = reopen(t, s)
	if got, want := queued(t, s, "o", 1), "counted 0\n1 v1\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	must(t, s, journalled(func(r *Records) error { return testQueue.Count(r, "o", 1, last) })) // before what main.db has
	s = reopen(t, s)
	if got, want := queued(t, s, "o", 1), "counted 0\n1 v1\n"; got != want {
		t.Errorf("after an earlier count: got %q, want %q", got, want)
	}
	must(t, s, func(tx *Tx) error { return testQueue.KeepCount(tx, "o", 1, 1) })
	if got, want := queued(t, s, "o", 1), "counted 1\n"; got != want {
		t.Errorf("after KeepCount: got %q, want %q", got, want)
	}
}

// TestMainKnowsMoreThanTheJournal: what has been counted in main.db does not come
// back with records that were made before.
func TestMainKnowsMoreThanTheJournal(t *testing.T) {
	s := openTest(t, t.TempDir())
	must(t, s, putParent("o", 1))
	must(t, s, journalled(func(r *Records) error {
		return errors.Join(testQueue.Put(r, "o", 1, 4, []byte("four")), testQueue.Put(r, "o", 1, 9, []byte("nine")), testQueue.Count(r, "o", 1, 2))
	}))
	must(t, s, func(tx *Tx) error { return testQueue.KeepCount(tx, "o", 1, 5) })
	if got, want := queued(t, reopen(t, s), "o", 1), "counted 5\n9 nine\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestForgettingDoesNotUndoCounting: a Forget that is further than the last Count
// leaves it.
func TestForgettingDoesNotUndoCounting(t *testing.T) {
	s := openTest(t, t.TempDir())
	must(t, s, putParent("o", 1))
	must(t, s, journalled(func(r *Records) error {
		return errors.Join(testQueue.Count(r, "o", 1, 5), testQueue.Forget(r, "o", 1, 10), testQueue.Count(r, "o", 1, 7),
			testQueue.Put(r, "o", 1, 9, nil), testQueue.Put(r, "o", 1, 11, []byte("eleven")))
	}))
	if got, want := queued(t, reopen(t, s), "o", 1), "counted 7\n11 eleven\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWhatQueuesCannotStoreIsRefused(t *testing.T) {
	var r Records
	long := strings.Repeat("o", MaxOwner+1)
	large := make([]byte, MaxValue/2+1)
	for name, err := range map[string]error{
		"no owner":       testQueue.Put(&r, "", 1, 1),
		"owner with NUL": testQueue.Forget(&r, "a\x00", 1, 1),
		"long owner":     testQueue.Count(&r, long, 1, 1),
	} {
		if !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
	if err := testQueue.Put(&r, "o", 1, 1, large, large); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large value: %v", err)
	}
	if r.Bytes() != 0 {
		t.Errorf("%d bytes of what was refused", r.Bytes())
	}
	s := openTest(t, t.TempDir())
	must(t, s, putParent(long[1:], 1))
	must(t, s, journalled(func(r *Records) error { return testQueue.Put(r, long[1:], 1, 1, large, large[1:len(large)-1]) }))
	s = reopen(t, s)
	err := s.View(func(tx *Tx) error {
		if n := len(testQueue.Get(tx, long[1:], 1, 1)); n != MaxValue {
			t.Errorf("the largest value has %d bytes, want %d", n, MaxValue)
		}
		return tx.Journal(&r)
	})
	if !errors.Is(err, ErrReadOnly) {
		t.Errorf("Journal in a View: %v, want ErrReadOnly", err)
	}
	for _, name := range []string{"a/b", strings.Repeat("n", 250)} {
		func() {
			defer func() { _ = recover() }()
			t.Errorf("a Queue %q", NewQueue(name, testParents).tag)
		}()
	}
}

func TestResetKeepsSomeMemory(t *testing.T) {
	var r Records
	for _, size := range []int{100, 10_000} {
		if err := testQueue.Put(&r, "o", 1, 1, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		r.Reset(1000)
		if kept := cap(r.b) > 0; r.Bytes() != 0 || kept != (size == 100) {
			t.Errorf("after a value of %d bytes: %d bytes, room for %d", size, r.Bytes(), cap(r.b))
		}
	}
}
