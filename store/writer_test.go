package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// hold stops the writer until the function it returns is called.
func hold(s *Store) (release func()) {
	running, gate := make(chan struct{}), make(chan struct{})
	s.Update(func(*Tx) error { close(running); <-gate; return nil }, func(error) {})
	<-running
	return func() { close(gate) }
}

func TestUpdatesBeyondTheQueueGetBusyAtOnce(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir(), MaxQueue: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	release := hold(s)
	var all sync.WaitGroup
	all.Add(2)
	for range 2 {
		s.Update(put(1, 10), func(err error) {
			if err != nil {
				t.Errorf("update within the queue: %v", err)
			}
			all.Done()
		})
	}
	var got error
	s.Update(put(1, 10), func(err error) { got = err }) // no other goroutine: no race
	if got != ErrBusy {
		t.Errorf("update 4 of a queue of 3: %v, want ErrBusy", got)
	}
	if n := s.Stats().Queue; n != 3 {
		t.Errorf("queue length %d, want 3", n)
	}
	release()
	all.Wait()
	if err := s.UpdateWait(put(1, 10)); err != nil {
		t.Errorf("update after the queue has drained: %v", err)
	}
	if st := s.Stats(); st.Refused != 1 {
		t.Errorf("refused %d, want 1", st.Refused)
	}
}

func TestCloseCommitsWhatWaits(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	release := hold(s)
	answers := make(chan error, 100)
	for i := range 100 {
		s.Update(put(i, 1000), func(err error) { answers <- err })
	}
	time.AfterFunc(20*time.Millisecond, release)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if len(answers) != 100 {
		t.Fatalf("%d of 100 updates answered when Close returned", len(answers))
	}
	for range 100 {
		if err := <-answers; err != nil {
			t.Errorf("update before Close: %v", err)
		}
	}
	if err := s.UpdateWait(put(1, 10)); err != ErrClosed {
		t.Errorf("update after Close: %v, want ErrClosed", err)
	}
	if err := s.View(func(*Tx) error { return nil }); err != ErrClosed {
		t.Errorf("view after Close: %v, want ErrClosed", err)
	}
	if err := allThere(openTest(t, dir), 100); err != nil {
		t.Error(err)
	}
}

// TestErrorOfOneUpdateIsItsOwn queues a batch in which every third update fails,
// by an error or a panic, after it has written over what another one wrote.
func TestErrorOfOneUpdateIsItsOwn(t *testing.T) {
	s := openTest(t, t.TempDir())
	release := hold(s)
	const n = 300
	answers := make(chan error, n)
	var order []int
	for i := range n {
		s.Update(func(tx *Tx) error {
			last := string(testMap.Get(tx, "o", "all"))
			if err := testMap.Put(tx, "o", "all", fmt.Appendf(nil, "%s %d", last, i)); err != nil {
				return err
			}
			switch i % 6 {
			case 2:
				return errors.Join(errOnPurpose, testMap.DeleteAll(tx, "o"), testDoc.Put(tx, "bad", nil))
			case 5:
				panic("on purpose")
			}
			return nil
		}, func(err error) {
			order = append(order, i)
			answers <- err
		})
	}
	release()
	want := ""
	for i := range n {
		err := <-answers
		if i%3 != 2 {
			want += fmt.Sprintf(" %d", i)
		}
		if (i%3 == 2) != (err != nil) || (i%6 == 2) != errors.Is(err, errOnPurpose) {
			t.Errorf("update %d: %v", i, err)
		}
	}
	if !slices.IsSorted(order) || len(order) != n {
		t.Errorf("done in the order %v", order)
	}
	_ = s.View(func(tx *Tx) error {
		if got := string(testMap.Get(tx, "o", "all")); got != want || testDoc.Get(tx, "bad") != nil {
			t.Errorf("stored %s\nwant   %s", got, want)
		}
		return nil
	})
	if st := s.Stats(); st.Failed != n/3 || st.Panics != n/6 || st.Commits > 3 {
		t.Errorf("failed %d, panics %d, commits %d, want %d, %d, at most 3", st.Failed, st.Panics, st.Commits, n/3, n/6)
	}
}

func TestPanickingDoneDoesNotStopTheWriter(t *testing.T) {
	s := openTest(t, t.TempDir())
	s.Update(put(1, 10), func(error) { panic("on purpose") })
	if err := s.UpdateWait(put(2, 10)); err != nil {
		t.Error(err)
	}
	if n := s.Stats().Panics; n != 1 {
		t.Errorf("panics %d, want 1", n)
	}
}

// TestDoneSeesItsUpdate: what done has been told, a View by anybody sees.
func TestDoneSeesItsUpdate(t *testing.T) {
	s := openTest(t, t.TempDir())
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 200 {
				v := fmt.Append(nil, i)
				if err := s.UpdateWait(func(tx *Tx) error { return testDoc.Put(tx, owner(g), v) }); err != nil {
					t.Error(err)
				}
				_ = s.View(func(tx *Tx) error {
					if got := testDoc.Get(tx, owner(g)); !bytes.Equal(got, v) {
						t.Errorf("got %q, want %q", got, v)
					}
					return nil
				})
			}
		})
	}
	all.Wait()
}

// TestViewKeepsItsStateWhileTheFileGrows: a reader in the middle of many commits
// sees none of them, and does not hold them up.
func TestViewKeepsItsStateWhileTheFileGrows(t *testing.T) {
	s := openTest(t, t.TempDir())
	must(t, s, put(0, 1000))
	err := s.View(func(tx *Tx) error {
		before := testDoc.Get(tx, owner(0))
		for i := range 8 {
			if err := s.UpdateWait(put(i, 1<<20)); err != nil { // only a test may wait here: the map is large
				return err
			}
		}
		if !bytes.Equal(before, make([]byte, 1000)) || testDoc.Get(tx, owner(1)) != nil {
			t.Error("the state of a View has changed")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLargeValuesEndABatch(t *testing.T) {
	s := openTest(t, t.TempDir())
	release := hold(s)
	var all sync.WaitGroup
	all.Add(20)
	for i := range 20 {
		s.Update(put(i, maxBatchBytes/4), func(error) { all.Done() })
	}
	release()
	all.Wait()
	if n := s.Stats().Commits; n < 5 || n > 7 {
		t.Errorf("%d commits for 5 times the bytes of one, want about 5", n)
	}
}

func TestFailingWithoutWritingCostsNoSync(t *testing.T) {
	s := openTest(t, t.TempDir())
	txid := func() (id int) {
		_ = s.View(func(tx *Tx) error { id = tx.b.ID(); return nil })
		return id
	}
	before := txid()
	for range 10 {
		if err := s.UpdateWait(func(tx *Tx) error { return testDoc.Put(tx, "", nil) }); !errors.Is(err, ErrKey) {
			t.Errorf("update: %v, want ErrKey", err)
		}
	}
	if after := txid(); after != before {
		t.Errorf("%d transactions written for updates that wrote nothing", after-before)
	}
}

// TestWritingStopsWhenACommitIsUncertain plays a commit that failed after its
// meta page could be seen: what it answers may not be taken for lost or stored.
func TestWritingStopsWhenACommitIsUncertain(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	must(t, s, put(0, 1000))
	var id int
	_ = s.View(func(tx *Tx) error { id = tx.b.ID(); return nil })
	if err := s.commitFailed(id+1, errOnPurpose); err != errOnPurpose || s.Stats().ReadOnly {
		t.Errorf("a commit that nobody can see: %v", err)
	}
	must(t, s, put(0, 1000))
	if err := s.commitFailed(id+1, errOnPurpose); !errors.Is(err, ErrUncertain) || !errors.Is(err, errOnPurpose) {
		t.Errorf("a commit that can be seen: %v", err)
	}
	if err := s.UpdateWait(put(1, 1000)); !errors.Is(err, ErrUncertain) {
		t.Errorf("the next update: %v", err)
	}
	if err := allThere(s, 1); err != nil || !s.Stats().ReadOnly {
		t.Errorf("reading goes on: %v, ReadOnly %v", err, s.Stats().ReadOnly)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	must(t, openTest(t, dir), put(1, 1000))
}

// TestEveryCommitIsSynced: what bbolt could leave out for speed, it may not.
func TestEveryCommitIsSynced(t *testing.T) {
	s := openTest(t, t.TempDir())
	if s.db.NoSync || s.db.NoGrowSync || s.db.NoFreelistSync {
		t.Errorf("NoSync %v, NoGrowSync %v, NoFreelistSync %v, want false", s.db.NoSync, s.db.NoGrowSync, s.db.NoFreelistSync)
	}
}

func TestWhatMeansAFullDisk(t *testing.T) {
	s := &Store{path: "/x/main.db"}
	for _, test := range []struct {
		err  error
		full bool
	}{
		{fmt.Errorf("write: %w", syscall.ENOSPC), true},
		{syscall.EDQUOT, true},
		{fmt.Errorf("file sync error: %s", syscall.ENOSPC), true},
		{syscall.EIO, false},
	} {
		err := s.commitError(test.err)
		if errors.Is(err, ErrDiskFull) != test.full || !strings.Contains(err.Error(), s.path) {
			t.Errorf("%v: %v, want disk full %v", test.err, err, test.full)
		}
	}
}

func TestRepeatedErrorsAreLoggedOnce(t *testing.T) {
	var log strings.Builder
	s := &Store{opt: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
	for range 5 {
		s.complain(io.ErrShortWrite)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
	s.stats.lastErrorAt.Store(0)
	s.complain(io.ErrShortWrite)
	if !strings.Contains(log.String(), "unlogged=4") {
		t.Errorf("log: %s", log.String())
	}
}

func TestStatsCountCommits(t *testing.T) {
	s := openTest(t, t.TempDir())
	release := hold(s)
	var all sync.WaitGroup
	all.Add(30)
	for i := range 30 {
		s.Update(put(i, 100), func(error) { all.Done() })
	}
	release()
	all.Wait()
	must(t, s, put(1, 100))
	st := s.Stats()
	h := st.CommitUpdates
	if st.Updates != 32 || h.Sum != 32 || st.Commits != 3 || h.Counts[bucketOf(h.Bounds, 30)] != 1 || h.Counts[0] != 2 {
		t.Errorf("%d updates in %d commits, sizes %v, want 32 in 3: 1, 30, 1", st.Updates, st.Commits, h.Counts)
	}
	total := uint64(0)
	for _, n := range st.CommitSeconds.Counts {
		total += n
	}
	if total != 3 || st.CommitSeconds.Sum <= 0 || st.Bytes < 3100 || st.FileBytes == 0 || st.DiskFree <= 0 {
		t.Errorf("%+v", st)
	}
}

func TestNoGoroutineIsLeftAfterClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		s := openTest(t, t.TempDir())
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
