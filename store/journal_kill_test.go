package store

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// killBehind is how far behind the last value of an owner what is forgotten is:
// further than the updates that are in flight reach.
const killBehind = 2 * killLoad / killOwners

const killSegment = 200 << 10 // bytes

var killCounts = NewQueue("kill-counts", testParents)

// queueChild puts numbers, each owner's in order, counts each, and forgets what is
// killBehind, in small segments; it prints "owner number" when one is
// acknowledged, until it is killed.
func queueChild(dir string) {
	segmentSize = killSegment
	s, err := Open(Options{Dir: dir})
	if err == nil {
		err = s.UpdateWait(func(tx *Tx) (err error) {
			for o := range killOwners {
				err = errors.Join(err, putParent(owner(o), 1)(tx))
			}
			return err
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	next := lastCounted(s)
	tokens := make(chan struct{}, killLoad)
	for i := 0; ; i++ {
		tokens <- struct{}{}
		o := i % killOwners
		next[o]++
		n := next[o]
		s.Update(journalled(func(r *Records) error { return queueNumber(r, owner(o), uint64(n)) }), func(err error) {
			if err == nil {
				fmt.Printf("%d %d\n", o, n) // one write, no buffer
			}
			<-tokens
		})
	}
}

// queueNumber is what an update of queueChild says: n is there, is counted, and
// what is killBehind is not needed any more.
func queueNumber(r *Records, owner string, n uint64) error {
	text := strconv.FormatUint(n, 10)
	err := testQueue.Put(r, owner, 1, n, []byte(text), []byte(strings.Repeat(" ", int(n%3000))))
	if n%10 == 0 && n > killBehind {
		err = errors.Join(err, testQueue.Forget(r, owner, 1, n-killBehind))
	}
	return errors.Join(err, killCounts.Put(r, owner, 1, n, []byte(text)), killCounts.Count(r, owner, 1, n))
}

// lastCounted returns the last number of each owner.
func lastCounted(s *Store) (last [killOwners]int) {
	_ = s.View(func(tx *Tx) error {
		for o := range last {
			n, _ := killCounts.Counted(tx, owner(o), 1)
			last[o] = int(n)
		}
		return nil
	})
	return last
}

// TestKilledProcessKeepsItsQueues kills a process that puts and counts, several
// times on one store: what it acknowledged and did not forget is there.
func TestKilledProcessKeepsItsQueues(t *testing.T) {
	smallSegments(t, killSegment)
	dir := t.TempDir()
	moved := 0
	for round := range 6 {
		acked := killUnderLoad(t, "queue", dir, 1000+round*337)
		if err := Check(dir); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if names := journalFiles(t, dir); names[0] > segmentName(1) {
			moved++
		}
		s := openTest(t, dir)
		for o := range acked {
			checkQueue(t, s, owner(o), acked[o])
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if moved == 0 {
		t.Error("no segment was moved: the test does not test what it should")
	}
}

// checkQueue checks that the values of owner are those up to the last one that is
// counted, without what has been forgotten for sure.
func checkQueue(t *testing.T, s *Store, owner string, acked int) {
	t.Helper()
	err := s.View(func(tx *Tx) error {
		counted, _ := killCounts.Counted(tx, owner, 1)
		first, last := uint64(0), uint64(0)
		err := testQueue.Each(tx, owner, 1, func(n uint64, v []byte) error {
			if want := strconv.FormatUint(n, 10) + strings.Repeat(" ", int(n%3000)); string(v) != want {
				return fmt.Errorf("value %d has %d bytes, begins %.8q", n, len(v), v)
			}
			if last > 0 && n != last+1 {
				return fmt.Errorf("value %d after %d", n, last)
			}
			if last = n; first == 0 {
				first = n
			}
			return nil
		})
		forgotten := counted - counted%10 - min(killBehind, counted-counted%10)
		if err != nil || last != counted || first != forgotten+1 || counted < uint64(acked) {
			t.Errorf("%s: %v, values %d to %d, want %d to %d, acknowledged %d", owner, err, first, last, forgotten+1, counted, acked)
		}
		return killCounts.Each(tx, owner, 1, func(n uint64, _ []byte) error { return fmt.Errorf("%d is there and counted", n) })
	})
	if err != nil {
		t.Errorf("%s: %v", owner, err)
	}
}
