package store

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// putValue puts value n of id 1 of owner o: 100 bytes.
func putValue(n uint64) func(*Tx) error {
	return journalled(func(r *Records) error { return testQueue.Put(r, "o", 1, n, valueOf(n)) })
}

func valueOf(n uint64) []byte { return fmt.Appendf(nil, "%-100d", n) }

// values is what queued says of values from..to of id 1 of owner o.
func values(from, to uint64) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintf(&b, "%d %s\n", n, valueOf(n))
	}
	return b.String()
}

// openQueue opens a store in which owner o has an id 1, and puts that many values.
func openQueue(t testing.TB, n uint64) *Store {
	t.Helper()
	s := openTest(t, t.TempDir())
	must(t, s, putParent("o", 1))
	for i := range n {
		must(t, s, putValue(i+1))
	}
	return s
}

// journalFiles returns the names in the journal of the store in dir.
func journalFiles(t testing.TB, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, journalDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestFilesOfTheJournalAreUsedAgain: there are never more than a few, and none
// when the store is closed.
func TestFilesOfTheJournalAreUsedAgain(t *testing.T) {
	smallSegments(t, 400)
	s := openQueue(t, 0)
	const last = 100
	for n := range uint64(last) {
		must(t, s, putValue(n+1))
		must(t, s, journalled(func(r *Records) error { return testQueue.Forget(r, "o", 1, n) }))
		s.journal.jobs.wait()
		if names := journalFiles(t, s.opt.Dir); len(names) > 2+maxSpares {
			t.Fatalf("files %q, want the one that is written to, one full, and %d spare", names, maxSpares)
		}
	}
	st := s.Stats()
	if s.journal.number < last/4 || st.JournalFull != 1 || len(s.journal.spares) == 0 {
		t.Errorf("segment %d, %d full, %d spare", s.journal.number, st.JournalFull, len(s.journal.spares))
	}
	if st.JournalBytes < last*100 || st.JournalMoved > last/10 {
		t.Errorf("%d bytes written, %d records moved of %d, want nearly all forgotten", st.JournalBytes, st.JournalMoved, 2*last)
	}
	s = reopen(t, s)
	if got := queued(t, s, "o", 1); got != values(last, last) {
		t.Errorf("got %q, want %q", got, values(last, last))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if names := journalFiles(t, s.opt.Dir); len(names) != 0 {
		t.Errorf("a closed store has files %q in its journal", names)
	}
}

// TestMoveThatFailsIsTriedAgain hides a segment until its move has failed, or has
// a directory where its file is to go.
func TestMoveThatFailsIsTriedAgain(t *testing.T) {
	smallSegments(t, 400)
	for name, way := range map[string]struct{ spoil, mend func(path string) error }{
		"hidden": {
			func(path string) error { return os.Rename(path, path+".hidden") },
			func(path string) error { return os.Rename(path+".hidden", path) },
		},
		"in the way": {
			func(path string) error { return os.Mkdir(path+spareSuffix, 0o700) },
			func(path string) error { return os.Remove(path + spareSuffix) },
		},
	} {
		t.Run(name, func(t *testing.T) { failMove(t, way.spoil, way.mend) })
	}
}

func failMove(t *testing.T, spoil, mend func(path string) error) {
	s := openQueue(t, 0)
	gate := make(chan struct{})
	s.journal.jobs.add(func() { <-gate })
	n := uint64(0)
	until := func(full int) {
		for ; s.journal.waiting() < full; n++ {
			must(t, s, putValue(n+1))
		}
	}
	until(2)
	first := s.journal.full[0].path
	if err := spoil(first); err != nil {
		t.Fatal(err)
	}
	close(gate)
	s.journal.jobs.wait()
	if got := s.journal.waiting(); got != 2 {
		t.Errorf("%d segments wait after a move that failed, want 2", got)
	}
	if err := mend(first); err != nil {
		t.Fatal(err)
	}
	until(3)
	s.journal.jobs.wait()
	if st := s.Stats(); st.JournalFull != 1 || st.JournalMoved == 0 {
		t.Errorf("%d segments wait, %d records moved, want 1 and more than none", st.JournalFull, st.JournalMoved)
	}
	s = reopen(t, s)
	if got := queued(t, s, "o", 1); got != values(1, n) {
		t.Errorf("got %q, want %q", got, values(1, n))
	}
}

// TestMovesWaitForTheWriter: a full queue is no reason to give up, the end is.
func TestMovesWaitForTheWriter(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir(), Logger: quiet, MaxQueue: 1})
	if err != nil {
		t.Fatal(err)
	}
	release := hold(s)
	answer := make(chan error)
	go func() { answer <- s.journal.update(nil) }()
	for s.Stats().Refused < 2 {
		time.Sleep(time.Millisecond)
	}
	release()
	if err := <-answer; err != nil {
		t.Errorf("a move after the writer was busy: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.journal.update(nil); err != ErrClosed {
		t.Errorf("a move after Close: %v, want ErrClosed", err)
	}
}

// TestFailedUpdateLeavesNoRecord, while those of the same commit have theirs.
func TestFailedUpdateLeavesNoRecord(t *testing.T) {
	s := openQueue(t, 0)
	release := hold(s)
	answers := make(chan error, 20)
	for n := range uint64(cap(answers)) {
		s.Update(func(tx *Tx) error {
			if err := putValue(n + 1)(tx); n >= 10 || err != nil {
				return errors.Join(err, errOnPurpose)
			}
			return nil
		}, func(err error) { answers <- err })
	}
	release()
	for range cap(answers) {
		<-answers
	}
	must(t, s, putValue(11))
	for name, after := range map[string]*Store{"crash": openTest(t, crash(t, s)), "Close": reopen(t, s)} {
		if got := queued(t, after, "o", 1); got != values(1, 11) {
			t.Errorf("after %s: got %q, want %q", name, got, values(1, 11))
		}
	}
}

// TestWritingStopsWhenTheJournalIsUncertain closes the file of the journal: what
// is in it can neither be synced nor taken back.
func TestWritingStopsWhenTheJournalIsUncertain(t *testing.T) {
	s := openQueue(t, 1)
	if err := s.journal.f.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.UpdateWait(putValue(2)); !errors.Is(err, ErrUncertain) || !s.Stats().ReadOnly {
			t.Errorf("update: %v, ReadOnly %v", err, s.Stats().ReadOnly)
		}
	}
	_ = s.Close() // says that the file is closed
	if got := queued(t, openTest(t, s.opt.Dir), "o", 1); got != values(1, 1) {
		t.Errorf("got %q, want %q", got, values(1, 1))
	}
}

// lastSegment returns the path of the last segment of the store in dir, and what
// is in it.
func lastSegment(t testing.TB, dir string) (path string, b []byte) {
	t.Helper()
	paths, _, err := listSegments(filepath.Join(dir, journalDir))
	if err != nil || len(paths) == 0 {
		t.Fatalf("segments %q, %v", paths, err)
	}
	path = paths[len(paths)-1]
	if b, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return path, b
}

// putNumbers returns the numbers of the values in the segment at path.
func putNumbers(path string) (numbers []uint64, err error) {
	err = withSegments([]sealed{{path: path}}, func(all []*segment) error {
		return all[0].each(true, func(r record) error { numbers = append(numbers, r.n); return nil })
	})
	return numbers, err
}

// TestTornLastFrameIsCutOff cuts the last frame at every byte, with nothing or
// with something else behind the cut.
func TestTornLastFrameIsCutOff(t *testing.T) {
	dir := crash(t, openQueue(t, 3))
	path, b := lastSegment(t, dir)
	frame := (len(b) - len(journalMagic)) / 3
	for cut := len(b) - frame; cut < len(b); cut++ {
		for _, rest := range [][]byte{nil, make([]byte, len(b)-cut), bytes.Repeat([]byte{0xa5}, 1000)} {
			if err := os.WriteFile(path, append(bytes.Clone(b[:cut]), rest...), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := putNumbers(path)
			if err != nil || len(got) != 2 {
				t.Fatalf("cut at byte %d of %d, %d behind: %v, values %d, want 1 and 2", cut, len(b), len(rest), err, got)
			}
		}
		if cut%50 > 0 {
			continue
		}
		copied := filepath.Join(t.TempDir(), "copy")
		if err := errors.Join(os.CopyFS(copied, os.DirFS(dir)), Check(copied)); err != nil {
			t.Fatal(err)
		}
		if got := queued(t, openTest(t, copied), "o", 1); got != values(1, 2) {
			t.Errorf("cut at byte %d: got %q", cut, got)
		}
	}
}

// TestBrokenFrameIsNamed changes a byte of a frame that is not the last one.
func TestBrokenFrameIsNamed(t *testing.T) {
	dir := crash(t, openQueue(t, 3))
	path, good := lastSegment(t, dir)
	frame := (len(good) - len(journalMagic)) / 3
	for _, at := range []int{0, len(journalMagic), len(journalMagic) + 9, len(journalMagic) + frame - 1, len(journalMagic) + frame + 25} {
		b := bytes.Clone(good)
		b[at] ^= 0x10
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Dir: dir, Logger: quiet})
		if !errors.Is(err, ErrDamaged) || !strings.HasPrefix(err.Error(), "store: open "+path+": ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("byte %d changed: Open: %v", at, err)
		}
		if err := Check(dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("byte %d changed: Check: %v", at, err)
		}
		if _, now := lastSegment(t, dir); !bytes.Equal(now, b) {
			t.Errorf("byte %d changed: the file is not as it was", at)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := queued(t, openTest(t, dir), "o", 1); got != values(1, 3) {
		t.Errorf("the good file: got %q", got)
	}
}

// TestFullSegmentMayNotEndEarly: the last frame of a segment that others follow
// was acknowledged, so it is not for a torn one that it passes.
func TestFullSegmentMayNotEndEarly(t *testing.T) {
	smallSegments(t, 400)
	dir := crash(t, openQueue(t, 12))
	paths, _, err := listSegments(filepath.Join(dir, journalDir))
	if err != nil || len(paths) < 2 {
		t.Fatalf("segments %q: %v", paths, err)
	}
	path := paths[len(paths)-2]
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(good)-1] ^= 1
	for what, b := range map[string][]byte{"a byte changed": flipped, "cut": good[:len(good)-1], "empty": nil} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Dir: dir, Logger: quiet}); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: Open: %v", what, err)
		}
		if err := Check(dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: Check: %v", what, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := queued(t, openTest(t, dir), "o", 1); got != values(1, 12) {
		t.Errorf("the good file: got %q", got)
	}
}

// TestCheckNamesEverySegment that is damaged.
func TestCheckNamesEverySegment(t *testing.T) {
	dir := crash(t, openQueue(t, 1))
	for _, name := range []string{segmentName(8), segmentName(9)} {
		if err := os.WriteFile(filepath.Join(dir, journalDir, name), make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := Check(dir)
	for _, name := range []string{segmentName(8), segmentName(9)} {
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), name) {
			t.Errorf("Check: %v\nwant %s in it", err, name)
		}
	}
}

// TestStaleFramesAreIgnored: a file that is used again has frames of an earlier
// segment behind its own.
func TestStaleFramesAreIgnored(t *testing.T) {
	smallSegments(t, 1000)
	s := openQueue(t, 0)
	n := uint64(0)
	for again := false; !again; n++ {
		must(t, s, putValue(n+1))
		s.journal.jobs.wait()
		again = s.journal.size < 200 && fileSize(s.journal.f.Name()) > 1000
	}
	dir := crash(t, s)
	path, b := lastSegment(t, dir)
	if got, err := putNumbers(path); err != nil || len(got) != 1 || got[0] != n || len(b) < 1000 {
		t.Errorf("%d bytes, values %d, %v, want %d alone and more bytes than that", len(b), got, err, n)
	}
	if err := Check(dir); err != nil {
		t.Error(err)
	}
	if got := queued(t, openTest(t, dir), "o", 1); got != values(1, n) {
		t.Errorf("got %q, want values up to %d", got, n)
	}
}

// TestSegmentThatWasOnlyMade is what a crash right after leaves.
func TestSegmentThatWasOnlyMade(t *testing.T) {
	smallSegments(t, 100)
	for _, size := range []int{0, 5, len(journalMagic)} {
		dir := crash(t, openQueue(t, 1))
		path := filepath.Join(dir, journalDir, segmentName(2))
		if err := os.WriteFile(path, []byte(journalMagic)[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Check(dir); err != nil {
			t.Error(err)
		}
		s := openTest(t, dir)
		if names := journalFiles(t, dir); len(names) != 0 {
			t.Errorf("a segment of %d bytes: files %q after Open", size, names)
		}
		must(t, s, putValue(2))
		if names := journalFiles(t, dir); len(names) != 1 || names[0] != segmentName(3) {
			t.Errorf("files %q, want %s", names, segmentName(3))
		}
		if got := queued(t, reopen(t, s), "o", 1); got != values(1, 2) {
			t.Errorf("a segment of %d bytes: got %q", size, got)
		}
	}
}

// frameOf returns a frame of segment 1.
func frameOf(records []byte) []byte {
	var head [recordsHead]byte
	putRecordsHead(head[:], 1, len(records), crc32.Checksum(records, castagnoli))
	return append(head[:], records...)
}

// FuzzSegment reads any bytes as a segment, and as the records of a frame whose
// checksums are right.
func FuzzSegment(f *testing.F) {
	var r Records
	if err := errors.Join(testQueue.Put(&r, "o", 1, 1, []byte("value")), testQueue.Count(&r, "o", 1, 1)); err != nil {
		f.Fatal(err)
	}
	whole := append([]byte(journalMagic), frameOf(r.b)...)
	f.Add(append(whole, frameOf(r.b)...))
	f.Add(whole[:len(whole)-1])
	f.Add(r.b)
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		readSegment(t, b)
		readSegment(t, append([]byte(journalMagic), frameOf(b)...))
	})
}

func readSegment(t *testing.T, b []byte) {
	path := filepath.Join(t.TempDir(), segmentName(1))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := openSegment(sealed{path: path})
	if err != nil {
		return
	}
	list, err := remains([]*segment{g}, nil)
	for i := range list {
		if _, err := list[i].queue(); err != nil && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	if err := g.close(); err != nil {
		t.Error(err)
	}
}
