package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// archiveModel is what an archive should hold: each owner's rows.
type archiveModel map[string][]archived

type archived struct {
	seq uint64
	tag uint32
	v   string
}

// checkArchive compares what a reader of each owner sees with the model.
func (m archiveModel) check(t *testing.T, s *Store, owners []string) {
	t.Helper()
	for _, o := range owners {
		err := s.View(func(tx *Tx) error {
			r, err := s.Archive().Read(tx, o)
			if err != nil {
				return err
			}
			return m.compare(o, r)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (m archiveModel) compare(owner string, r *Reader) error {
	want := m[owner]
	if r.Len() != len(want) {
		return fmt.Errorf("%s has %d rows, want %d", owner, r.Len(), len(want))
	}
	for i, w := range want {
		v, err := r.Value(i)
		seq, tag := r.At(i)
		if err != nil || seq != w.seq || tag != w.tag || string(v) != w.v {
			return fmt.Errorf("%s, row %d: %d %d %.20q %v, want %d %d %.20q", owner, i, seq, tag, v, err, w.seq, w.tag, w.v)
		}
		if at := r.Search(seq); at != i {
			return fmt.Errorf("%s: Search(%d) is %d, want %d", owner, seq, at, i)
		}
	}
	return m.compareTags(owner, r)
}

// compareTags goes through a stretch of the rows with a tag, both ways.
func (m archiveModel) compareTags(owner string, r *Reader) error {
	lo, hi := r.Len()/4, r.Len()
	var want, got []int
	for i := lo; i < hi; i++ {
		if m[owner][i].tag == 3 {
			want = append(want, i)
		}
	}
	r.Tagged(3, lo, hi, func(i int) bool { got = append(got, i); return true })
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s: rows with the tag are %v, want %v", owner, got, want)
	}
	got = nil
	r.Tagged(3, hi, lo, func(i int) bool { got = append([]int{i}, got...); return true })
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s: backwards, rows with the tag are %v, want %v", owner, got, want)
	}
	return nil
}

// archivePlay does random things to an archive and to its model.
type archivePlay struct {
	t      *testing.T
	r      *rand.Rand
	dir    string
	s      *Store
	clock  *Clock
	now    time.Time
	owners []string
	m      archiveModel
}

// TestArchiveHoldsWhatTheModelHolds appends, erases, flushes, merges, expires and
// reopens at random, some of the updates failing after they have appended.
func TestArchiveHoldsWhatTheModelHolds(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			p := &archivePlay{
				t: t, r: rand.New(rand.NewPCG(seed, 7)), dir: t.TempDir(), m: archiveModel{},
				now: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC),
			}
			for i := range 12 {
				p.owners = append(p.owners, fmt.Sprintf("user%d@test", i))
			}
			p.open()
			for range 60 {
				p.step()
			}
		})
	}
}

func (p *archivePlay) open() {
	p.s = openTest(p.t, p.dir)
	p.clock = p.s.Archive().Clock()
}

func (p *archivePlay) step() {
	switch p.r.IntN(12) {
	default:
		p.append()
		return
	case 0:
		p.erase()
	case 1:
		p.index()
	case 2, 3:
		p.now = p.now.AddDate(0, 0, 1+p.r.IntN(20))
	case 4:
		p.reopen()
	case 5:
		p.expire()
	}
	p.m.check(p.t, p.s, p.owners)
}

// append appends a few updates' rows; one in four fails.
func (p *archivePlay) append() {
	for range 1 + p.r.IntN(8) {
		var rows Rows
		next := archiveModel{}
		for range 1 + p.r.IntN(20) {
			o := p.owners[p.r.IntN(len(p.owners))]
			w := archived{p.clock.Next(p.now), uint32(p.r.IntN(5)), strings.Repeat(fmt.Sprint(p.r.Uint32()), 1+p.r.IntN(200))}
			if err := rows.Add(o, w.seq, w.tag, []byte(w.v)); err != nil {
				p.t.Fatal(err)
			}
			next[o] = append(next[o], w)
		}
		pool := []string{"", "30d"}[p.r.IntN(2)]
		spoil := p.r.IntN(4) == 0
		err := p.s.UpdateWait(func(tx *Tx) error {
			err := p.s.Archive().Append(tx, pool, &rows)
			if spoil {
				return errOnPurpose
			}
			return errors.Join(err, testDoc.Put(tx, "doc", []byte("v")))
		})
		if spoil != (err != nil) {
			p.t.Fatal(err)
		}
		if !spoil {
			for o, w := range next {
				p.m[o] = append(p.m[o], w...)
			}
		}
	}
}

func (p *archivePlay) erase() {
	o := p.owners[p.r.IntN(len(p.owners))]
	if err := p.s.UpdateWait(func(tx *Tx) error { return p.s.RemoveOwner(tx, o) }); err != nil {
		p.t.Fatal(err)
	}
	delete(p.m, o)
	if p.r.IntN(2) == 0 {
		p.s.Archive().jobs.wait()
	}
}

// index makes runs of the tails, however short.
func (p *archivePlay) index() {
	a := p.s.Archive()
	for _, m := range a.months {
		a.mu.Lock()
		if m.frozen == nil && m.tail.rows > 0 && !m.busy {
			m.frozen, m.tail = m.tail, newTail(m.tail.to)
		}
		a.mu.Unlock()
		a.tend(m)
	}
	if p.r.IntN(2) == 0 {
		a.jobs.wait()
	}
}

func (p *archivePlay) reopen() {
	if err := p.s.Close(); err != nil {
		p.t.Fatal(err)
	}
	if err := Check(p.dir); err != nil {
		p.t.Fatal(err)
	}
	p.open()
}

// expire lets the pool "30d" have 30 days and the usual one 100.
func (p *archivePlay) expire() {
	a := p.s.Archive()
	gone := map[uint64]bool{}
	over := func(pool string, end time.Time) bool {
		keep := 100
		if pool == "30d" {
			keep = 30
		}
		return end.AddDate(0, 0, keep).Before(p.now)
	}
	for _, m := range a.months {
		if _, end, _ := parseMonth(m.name); over(m.pool, end) {
			p.collect(m, gone)
		}
	}
	a.Expire(over)
	_ = p.s.UpdateWait(func(*Tx) error { return nil }) // it has been done now
	for o, rows := range p.m {
		var left []archived
		for _, w := range rows {
			if !gone[w.seq] {
				left = append(left, w)
			}
		}
		p.m[o] = left
	}
}

// collect adds the sequence numbers in m's log.
func (p *archivePlay) collect(m *month, gone map[uint64]bool) {
	b, err := os.ReadFile(m.f.Name())
	if err != nil {
		p.t.Fatal(err)
	}
	for b = b[len(logMagic):]; len(b) > 0; {
		size, _, err := parseFrameHeader(b)
		if err != nil {
			p.t.Fatal(err)
		}
		_ = eachRow(b[frameHeader:frameHeader+size], func(_ int, r row) error { gone[r.seq] = true; return nil })
		b = b[frameHeader+size:]
	}
}

// Without index files Open makes them, some at once where there are many rows.
func TestRemovedIndexesAreMadeAnew(t *testing.T) {
	defer func(n int) { manyRows = n }(manyRows)
	manyRows = 100
	for seed := range uint64(3) {
		p := &archivePlay{
			t: t, r: rand.New(rand.NewPCG(seed, 9)), dir: t.TempDir(), m: archiveModel{},
			now: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), owners: []string{"a@test", "b@test", "c@test"},
		}
		p.open()
		for range 30 {
			p.append()
		}
		p.index()
		if err := p.s.Close(); err != nil {
			t.Fatal(err)
		}
		indexes, err := filepath.Glob(filepath.Join(p.dir, "log", "*.idx"))
		for _, path := range indexes {
			err = errors.Join(err, os.Remove(path))
		}
		if err != nil {
			t.Fatal(err)
		}
		p.open()
		p.m.check(t, p.s, p.owners)
		if p.s.Archive().Stats().Runs == 0 {
			t.Error("no index was made at once")
		}
		p.reopen()
		p.m.check(t, p.s, p.owners)
	}
}

// An owner that was erased is not in any file but by name in indexes, after what
// has to be done in the background is done, also over a restart.
func TestErasedRowsAreOverwritten(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	clock := s.Archive().Clock()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	appendRows(t, s, clock, now, "a@test", "secret one", 100)
	appendRows(t, s, clock, now, "b@test", "keep one", 100)
	p := &archivePlay{t: t, s: s, r: rand.New(rand.NewPCG(1, 1))}
	p.index()
	s.Archive().jobs.wait()
	appendRows(t, s, clock, now, "a@test", "secret two", 100)
	must(t, s, func(tx *Tx) error { return s.RemoveOwner(tx, "a@test") })
	appendRows(t, s, clock, now, "a@test", "new", 1)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir)
	s.Archive().jobs.wait()
	must(t, s, func(*Tx) error { return nil })
	if got := inFiles(t, dir, "secret"); got != "" {
		t.Errorf("%s has erased text", got)
	}
	if got := inFiles(t, filepath.Join(dir, "log"), "keep one"); got == "" {
		t.Error("what was not erased is gone")
	}
	_ = s.View(func(tx *Tx) error {
		if n := s.Archive().erasedUpTo(tx, "a@test"); n != 0 {
			t.Errorf("the erasing is still to be done, up to %d", n)
		}
		r, err := s.Archive().Read(tx, "a@test")
		if err != nil || r.Len() != 1 {
			t.Errorf("%v, %d rows of the new account, want 1", err, r.Len())
		}
		return nil
	})
}

func appendRows(t testing.TB, s *Store, c *Clock, now time.Time, owner, v string, n int) {
	t.Helper()
	var rows Rows
	for range n {
		if err := rows.Add(owner, c.Next(now), Tag(owner), []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	must(t, s, func(tx *Tx) error { return s.Archive().Append(tx, "", &rows) })
}

// inFiles returns the first file under dir that has text.
func inFiles(t *testing.T, dir, text string) (found string) {
	_ = filepath.Walk(dir, func(path string, info os.FileInfo, _ error) error {
		if b, err := os.ReadFile(path); err == nil && !info.IsDir() && bytes.Contains(b, []byte(text)) {
			found = path
		}
		return nil
	})
	return found
}

func TestNamesAreOfOneOwner(t *testing.T) {
	s := openTest(t, t.TempDir())
	a := s.Archive()
	name := a.Name("a@test", 12345)
	if seq, ok := a.Parse("a@test", name); !ok || seq != 12345 {
		t.Errorf("Parse(%q) is %d %v, want 12345", name, seq, ok)
	}
	for owner, n := range map[string]string{
		"b@test": name, "a@test": strings.Repeat("A", nameLen), "c@test": "", "d@test": name + "A",
	} {
		if _, ok := a.Parse(owner, n); ok {
			t.Errorf("Parse takes %q for %s", n, owner)
		}
	}
}

func TestClockIsAheadAfterRestart(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	future := time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC)
	appendRows(t, s, s.Archive().Clock(), future, "a@test", "v", 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir)
	if n := s.Archive().Clock().Next(future.AddDate(-5, 0, 0)); n <= uint64(future.UnixMicro())+2 {
		t.Errorf("the clock says %d, want more than %d", n, future.UnixMicro()+2)
	}
}

// Of a last frame that a crash cut short nothing is left; one that is broken with
// others behind it is damage, and says where.
func TestTornAndDamagedLogs(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	c := s.Archive().Clock()
	appendRows(t, s, c, now, "a@test", "one", 5)
	appendRows(t, s, c, now, "a@test", "two", 5)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "log", "2026-05.log")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := len(logMagic) + (len(whole)-len(logMagic))/2
	for cut := first; cut < len(whole); cut++ {
		checkTorn(t, dir, path, whole[:cut], 5)
	}
	for _, at := range []int{first + 1, first + 20, len(whole) - 1} { // in the last frame
		b := bytes.Clone(whole)
		b[at] ^= 0x40
		checkTorn(t, dir, path, b, 5)
	}
	for _, at := range []int{len(logMagic) + 1, len(logMagic) + 30, first - 1} { // in the first
		b := bytes.Clone(whole)
		b[at] ^= 0x40
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Dir: dir})
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("byte %d of the first frame changed: %v, want ErrDamaged with %s", at, err, path)
		}
	}
}

func checkTorn(t *testing.T, dir, path string, b []byte, want int) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir, MapSize: 1 << 20})
	if err != nil {
		t.Fatalf("log of %d bytes: %v", len(b), err)
	}
	defer s.Close()
	_ = s.View(func(tx *Tx) error {
		if r, err := s.Archive().Read(tx, "a@test"); err != nil || r.Len() != want {
			t.Errorf("log of %d bytes: %v, %d rows, want %d", len(b), err, r.Len(), want)
		}
		return nil
	})
}
