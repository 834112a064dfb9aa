package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A row that is blanked keeps its number, and its value is in no file: of a row
// that is indexed, of one that is not, and where the server was stopped before it
// was done.
func TestBlankedRowsKeepTheirNumber(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	clock := s.Archive().Clock()
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	var seqs []uint64
	add := func(i int) {
		appendRows(t, s, clock, now, "a@test", fmt.Sprintf("text %d.", i), 1)
		seqs = append(seqs, clock.last)
	}
	for i := range 5 {
		add(i)
	}
	p := &archivePlay{t: t, s: s, r: rand.New(rand.NewPCG(1, 1))}
	p.index()
	s.Archive().jobs.wait()
	for i := 5; i < 10; i++ {
		add(i)
	}
	for _, i := range []int{1, 7} {
		must(t, s, func(tx *Tx) error { return s.Archive().Blank(tx, "a@test", seqs[i]) })
	}
	must(t, s, func(tx *Tx) error { return s.Archive().Blank(tx, "a@test", 12345) })
	s.Archive().jobs.wait()
	check := func(blank ...int) {
		t.Helper()
		_ = s.View(func(tx *Tx) error {
			r, err := s.Archive().Read(tx, "a@test")
			if err != nil || r.Len() != 10 {
				t.Fatalf("%v, %d rows", err, r.Len())
			}
			for i, seq := range seqs {
				want := fmt.Sprintf("text %d.", i)
				for _, b := range blank {
					if b == i {
						want = ""
					}
				}
				at, _ := r.At(i)
				if v, err := r.Value(i); err != nil || at != seq || string(v) != want {
					t.Errorf("row %d is %d %q %v, want %d %q", i, at, v, err, seq, want)
				}
			}
			return nil
		})
		for _, i := range blank {
			if got := inFiles(t, dir, fmt.Sprintf("text %d.", i)); got != "" {
				t.Errorf("%s has text %d", got, i)
			}
		}
	}
	check(1, 7)
	s.Archive().jobs.close() // what comes now is not done in this life
	must(t, s, func(tx *Tx) error { return s.Archive().Blank(tx, "a@test", seqs[8]) })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir)
	s.Archive().jobs.wait()
	must(t, s, func(*Tx) error { return nil })
	check(1, 7, 8)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir)
	check(1, 7, 8)
}
