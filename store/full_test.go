package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestFullDiskFailsWritesOnly fills a small file system of its own, in a child
// with its own mounts, and makes room again.
func TestFullDiskFailsWritesOnly(t *testing.T) {
	dir := t.TempDir()
	cmd := child("full", dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.Output()
	if cmd.Process == nil && errors.Is(err, syscall.EPERM) {
		t.Skipf("no user namespaces here: %v", err)
	}
	if err != nil || string(out) != "good\n" {
		t.Errorf("child: %v\n%s", err, out)
	}
}

func fullChild(dir string) {
	if err := syscall.Mount("store-test", dir, "tmpfs", 0, "size=8m"); err != nil {
		fmt.Println("mount:", err)
		os.Exit(1)
	}
	if err := errors.Join(fullDisk(dir), fullJournal(dir)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("good")
}

// fullDisk fills the file system at dir twice, by the store and by a stranger.
func fullDisk(dir string) error {
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		return err
	}
	store := filepath.Join(dir, "store")
	s, err := Open(Options{Dir: store, Logger: quiet})
	if err != nil {
		return err
	}
	n, err := fill(s, 0)
	if !errors.Is(err, ErrDiskFull) || !errors.Is(err, syscall.ENOSPC) || n < 100 {
		return fmt.Errorf("filling stopped after %d updates with %v", n, err)
	}
	for range 5 { // it goes on being full, and goes on being readable
		if err := s.UpdateWait(put(n, 64<<10)); !errors.Is(err, ErrDiskFull) {
			return fmt.Errorf("update of a full disk: %v", err)
		}
		if err := errors.Join(allThere(s, n), archiveBig(s, 0, ErrDiskFull)); err != nil {
			return err
		}
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	for i := range 100 {
		if err := s.UpdateWait(put(n+i, 1000)); err != nil {
			return fmt.Errorf("update after room was made: %w", err)
		}
	}
	if err := archiveBig(s, 1, nil); err != nil {
		return err
	}
	st := s.Stats()
	if st.CommitErrors < 11 || st.ReadOnly || st.DiskFree <= 0 {
		return fmt.Errorf("stats after a full disk: %+v", st)
	}
	if err := errors.Join(allThere(s, n+100), s.Close(), Check(store)); err != nil {
		return err
	}
	return openWhenFull(store, ballast, n+100)
}

// archiveBig appends 64 KB to the archive, which ends with the error want, and
// leaves it with n rows.
func archiveBig(s *Store, n int, want error) error {
	var rows Rows
	v := make([]byte, 64<<10)
	rand.NewChaCha8([32]byte{}).Read(v) // hard to compress
	seq := s.Archive().Clock().Next(time.Now())
	err := rows.Add("a@test", seq, 0, v)
	if err == nil {
		err = s.UpdateWait(func(tx *Tx) error { return s.Archive().Append(tx, "", &rows) })
	}
	if !errors.Is(err, want) {
		return fmt.Errorf("append to the archive: %w, want %w", err, want)
	}
	return s.View(func(tx *Tx) error {
		r, err := s.Archive().Read(tx, "a@test")
		if err != nil || r.Len() != n {
			return fmt.Errorf("%w, %d rows in the archive, want %d", err, r.Len(), n)
		}
		return nil
	})
}

// openWhenFull opens the store with no byte free: it can be read.
func openWhenFull(dir, ballast string, n int) error {
	fillUp(ballast)
	s, err := Open(Options{Dir: dir, Logger: quiet})
	if err != nil {
		return fmt.Errorf("open with a full disk: %w", err)
	}
	return errors.Join(allThere(s, n), s.Close(), createWhenFull(dir+"2", ballast))
}

// fillUp makes a file of all bytes that are free.
func fillUp(path string) {
	f, err := os.Create(path)
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	f.Close()
}

// createWhenFull creates a store with no byte free: no half of a file is left
// under its name, and there is one when there is room.
func createWhenFull(dir, ballast string) error {
	if _, err := Open(Options{Dir: dir, Logger: quiet}); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("create with a full disk: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, mainFile)); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("half a file: %w", err)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	s, err := Open(Options{Dir: dir, Logger: quiet})
	if err != nil {
		return err
	}
	return errors.Join(s.UpdateWait(put(0, 1000)), allThere(s, 1), s.Close())
}

func put(i, size int) func(*Tx) error {
	return func(tx *Tx) error { return testDoc.Put(tx, owner(i), bytes.Repeat([]byte{byte(i)}, size)) }
}

// fill puts until an error, and returns how many went well.
func fill(s *Store, from int) (int, error) {
	for i := from; ; i++ {
		if err := s.UpdateWait(put(i, 1000)); err != nil {
			return i, err
		}
	}
}

// allThere checks that exactly the first n are in the store.
func allThere(s *Store, n int) error {
	i := 0
	err := s.View(func(tx *Tx) error {
		return testDoc.Each(tx, func(o string, v []byte) error {
			if o != owner(i) || !bytes.Equal(v, bytes.Repeat([]byte{byte(i)}, 1000)) {
				return fmt.Errorf("owner %q, %d bytes, in place %d", o, len(v), i)
			}
			i++
			return nil
		})
	})
	if err == nil && i != n {
		err = fmt.Errorf("%d owners, want %d", i, n)
	}
	return err
}

// fullJournal fills the disk up to the last byte where the journal would go on with
// a new page of its file, and with a new file; then where main.db would grow. What
// the journal and the archive have of such updates is taken back.
func fullJournal(dir string) error {
	store, ballast := filepath.Join(dir, "queues"), filepath.Join(dir, "ballast")
	s, err := Open(Options{Dir: store, Logger: quiet})
	if err != nil {
		return err
	}
	empty := len(journalMagic) + recordsHead + recordHeader + len(testQueue.tag) + len("o")
	err = errors.Join(s.UpdateWait(putParent("o", 1)), s.UpdateWait(everywhere(s, 0, 4096-empty, 0)))
	if err != nil || s.journal.size != 4096 {
		return fmt.Errorf("%w, a segment of %d bytes, want a page", err, s.journal.size)
	}
	for i, try := range []struct {
		segment     int64
		queue, main int
	}{{1 << 20, 1, 0}, {1 << 20, 10_000, 0}, {4096, 1, 0}, {1 << 20, 1, 1 << 20}} {
		segmentSize = try.segment
		if i == 3 { // with room in the page of the journal
			if err := s.UpdateWait(everywhere(s, 1, 10, 0)); err != nil {
				return err
			}
		}
		fillUp(ballast)
		for range 3 {
			if err := s.UpdateWait(everywhere(s, 2, try.queue, try.main)); !errors.Is(err, ErrDiskFull) || errors.Is(err, ErrUncertain) {
				return fmt.Errorf("try %d, update of a full disk: %w", i, err)
			}
		}
		if err := errors.Join(lookEverywhere(store, dir+".crash", 1+i/3), os.Remove(ballast)); err != nil {
			return fmt.Errorf("try %d: %w", i, err)
		}
	}
	err = errors.Join(s.UpdateWait(everywhere(s, 2, 10, 10)), s.Close(), Check(store))
	return errors.Join(err, lookEverywhere(store, dir+".crash", 3))
}

// everywhere returns an update that puts value n of o in a queue, a row in the
// archive and, if main is not 0, a document, of so many bytes.
func everywhere(s *Store, n uint64, queue, main int) func(*Tx) error {
	return func(tx *Tx) error {
		r, rows := new(Records), new(Rows)
		err := errors.Join(testQueue.Put(r, "o", 1, n, make([]byte, queue)), tx.Journal(r),
			rows.Add("o", s.Archive().Clock().Next(time.Now()), 0, []byte("row")), s.Archive().Append(tx, "", rows))
		if main > 0 {
			err = errors.Join(err, testDoc.Put(tx, "o", make([]byte, main)))
		}
		return err
	}
}

// lookEverywhere opens a copy of the store in dir, as after a crash, which is to
// have that many values and rows.
func lookEverywhere(dir, to string, want int) error {
	if err := errors.Join(os.CopyFS(to, os.DirFS(dir)), Check(to)); err != nil {
		return err
	}
	defer os.RemoveAll(to)
	s, err := Open(Options{Dir: to, Logger: quiet})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.View(func(tx *Tx) error {
		n := 0
		err := testQueue.Each(tx, "o", 1, func(uint64, []byte) error { n++; return nil })
		r, err2 := s.Archive().Read(tx, "o")
		if err != nil || err2 != nil || n != want || r.Len() != want {
			return fmt.Errorf("%w, %w, %d values and %d rows, want %d", err, err2, n, r.Len(), want)
		}
		return nil
	})
}
