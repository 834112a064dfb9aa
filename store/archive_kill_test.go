package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// archiveChild appends numbers, each owner's in order, many updates in flight,
// with indexes written and merged all the time, and prints "owner number" when
// one is acknowledged, until it is killed.
func archiveChild(dir string) {
	maxTail = 200
	s, err := Open(Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	a := s.Archive()
	clock := a.Clock()
	next := lastArchived(s)
	tokens := make(chan struct{}, killLoad)
	for i := 0; ; i++ {
		tokens <- struct{}{}
		o := i % killOwners
		next[o]++
		n := next[o]
		rows := new(Rows)
		text := strconv.Itoa(n) + strings.Repeat(" ", n%3000)
		if err := rows.Add(owner(o), clock.Next(time.Now()), 0, []byte(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		s.Update(func(tx *Tx) error { return a.Append(tx, "", rows) }, func(err error) {
			if err == nil {
				fmt.Printf("%d %d\n", o, n) // one write, no buffer
			}
			<-tokens
		})
	}
}

// lastArchived returns the last number of each owner.
func lastArchived(s *Store) (last [killOwners]int) {
	_ = s.View(func(tx *Tx) error {
		for o := range last {
			if r, err := s.Archive().Read(tx, owner(o)); err == nil && r.Len() > 0 {
				v, _ := r.Value(r.Len() - 1)
				last[o], _ = strconv.Atoi(strings.TrimRight(string(v), " "))
			}
		}
		return nil
	})
	return last
}

// TestKilledProcessKeepsItsArchive kills a process that appends, several times on
// one store: what it acknowledged is there, once, and in order.
func TestKilledProcessKeepsItsArchive(t *testing.T) {
	dir := t.TempDir()
	for round := range 6 {
		acked := killUnderLoad(t, "archive", dir, 2000+round*737)
		if err := Check(dir); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		s := openTest(t, dir)
		checkArchived(t, s, acked)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if runs, _ := filepath.Glob(filepath.Join(dir, "log", "*.idx")); len(runs) == 0 {
		t.Error("no index was written: the test does not test what it should")
	}
}

func checkArchived(t *testing.T, s *Store, acked [killOwners]int) {
	t.Helper()
	err := s.View(func(tx *Tx) error {
		for o := range acked {
			r, err := s.Archive().Read(tx, owner(o))
			if err != nil {
				return err
			}
			if r.Len() < acked[o] {
				t.Errorf("owner %d: %d rows, acknowledged up to %d", o, r.Len(), acked[o])
			}
			for i := range r.Len() {
				v, err := r.Value(i)
				if err != nil {
					return err
				}
				if got := strings.TrimRight(string(v), " "); got != strconv.Itoa(i+1) {
					return fmt.Errorf("owner %d: row %d is %s", o, i, got)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
