package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// makeStore makes a store with a bit of everything, many pages and free ones,
// and returns its directory.
func makeStore(t testing.TB) string {
	dir := t.TempDir()
	s := openTest(t, dir)
	for i := range 10 {
		must(t, s, func(tx *Tx) error {
			var errs []error
			for j := range 40 {
				o := owner(i*40 + j)
				_, err := testLog.Append(tx, o, bytes.Repeat([]byte("log "), j*20))
				errs = append(errs, err, testDoc.Put(tx, o, bytes.Repeat([]byte{1}, j*100)), testMap.Put(tx, o, "k", []byte(o)))
			}
			return errors.Join(append(errs, testDoc.Delete(tx, owner(i)))...)
		})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// firstMetas returns a copy of b in which the meta pages have been replaced by fn
// of them, with the checksum put right.
func firstMetas(b []byte, fn func(meta []byte)) []byte {
	b = bytes.Clone(b)
	for i := range 2 {
		m := b[i*os.Getpagesize()+pageHeader:]
		fn(m)
		sum := checksum(m[:56])
		native.PutUint64(m[56:], sum)
	}
	return b
}

// TestDamagedFileIsNamed opens files with one thing wrong. Each is refused with
// the file and the reason, in one line, and stays as it is.
func TestDamagedFileIsNamed(t *testing.T) {
	dir := makeStore(t)
	good, err := os.ReadFile(filepath.Join(dir, mainFile))
	if err != nil {
		t.Fatal(err)
	}
	ps := os.Getpagesize()
	branch := firstBranch(t, dir)
	m, _ := parseMeta(good)
	if other, _ := parseMeta(good[ps:]); other.txid > m.txid {
		m = other
	}
	set := func(at uint64, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	root, free := m.root*uint64(ps), m.freelist*uint64(ps)
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "the file is empty"},
		{"a text", bytes.Repeat([]byte("not a database\n"), 1000), "no database"},
		{"zeros", make([]byte, len(good)), "no database"},
		{"cut to a byte", good[:1], "meta page"},
		{"cut after the meta pages", good[:2*ps], "cut off"},
		{"last page missing", good[:(m.high-1)*uint64(ps)], "cut off"},
		{"another format", firstMetas(good, func(m []byte) { native.PutUint32(m[4:], 3) }), "database format 3"},
		{"page size 12345", firstMetas(good, func(m []byte) { native.PutUint32(m[8:], 12345) }), "page size"},
		{"root is a meta page", firstMetas(good, func(m []byte) { native.PutUint64(m[16:], 1) }), "root page 1"},
		{"root out of the file", firstMetas(good, func(m []byte) { native.PutUint64(m[16:], 1<<40) }), "root page"},
		{"free list out of the file", firstMetas(good, func(m []byte) { native.PutUint64(m[32:], 1<<40) }), "page 1099511627776 of"},
		{"root is zeros", set(root, make([]byte, ps)...), "says that it is page 0"},
		{"root of no kind", set(root+8, 0xff), "want data"},
		{"root has too much", set(root+10, 0xff, 0xff), "65535 elements"},
		{"root runs over the end", set(root+12, 0xff, 0xff, 0xff, 0x7f), "more pages"},
		{"element out of its page", set(root+pageHeader+4, 0xff, 0xff, 0xff), "not within it"},
		{"page points to itself", set(branch.id*uint64(ps)+pageHeader+8, branch.b[:8]...), "lead back to themselves"},
		{"free list is none", set(free+8, leafPage), "want the free list"},
		{"free page twice", set(free+pageHeader, good[free+pageHeader+8:free+pageHeader+16]...), "free page"},
		{"free list too long", set(free+10, 0xfe, 0xff), "free list of 65534"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { refuse(t, test.file, test.want) })
	}
}

// firstBranch returns a branch page of the store in dir.
func firstBranch(t *testing.T, dir string) *page {
	f, err := os.Open(filepath.Join(dir, mainFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := openPageFile(f)
	if err != nil {
		t.Fatal(err)
	}
	for queue := []uint64{p.root}; len(queue) > 0; queue = queue[1:] {
		pg, err := p.read(queue[0])
		if err != nil {
			t.Fatal(err)
		}
		if pg.flags == branchPage {
			return pg
		}
		children, err := p.children(pg)
		if err != nil {
			t.Fatal(err)
		}
		queue = append(queue, children...)
	}
	t.Fatal("no branch page")
	return nil
}

// refuse checks that a store with that main.db is not opened and not changed.
func refuse(t *testing.T, file []byte, want string) {
	dir := t.TempDir()
	path := filepath.Join(dir, mainFile)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Options{Dir: dir, Logger: quiet})
	if err == nil {
		s.Close()
		t.Fatal("Open: no error")
	}
	if !errors.Is(err, ErrDamaged) || !strings.HasPrefix(err.Error(), "store: open "+path+": damaged: ") ||
		!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Open: %v\nwant damaged, with %q", err, want)
	}
	if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, file) {
		t.Errorf("the file has changed: %d bytes, %v, want %d", len(now), err, len(file))
	}
	if err := Check(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("Check: %v", err)
	}
}

func TestMissingFileOfAUsedStoreIsDamage(t *testing.T) {
	dir := makeStore(t)
	path := filepath.Join(dir, mainFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{Dir: dir})
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty file in the place of the missing one: %v", err)
	}
}

func TestUnusableDirectoryIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "under")} {
		if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("Open of %s: %v", dir, err)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, mainFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), mainFile) {
		t.Errorf("Open with a directory as main.db: %v", err)
	}
}

func TestHalfMadeStoreIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, mainFile+".new"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openTest(t, dir)
	must(t, s, func(tx *Tx) error { return testDoc.Put(tx, "o", nil) })
}

// TestTornMetaPageFallsBackToTheOther is what a crash in the middle of the last
// write leaves behind.
func TestTornMetaPageFallsBackToTheOther(t *testing.T) {
	for page := range 2 {
		dir := makeStore(t)
		f, err := os.OpenFile(filepath.Join(dir, mainFile), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(make([]byte, 100), int64(page*os.Getpagesize()))
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		s, err := Open(Options{Dir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatalf("meta page %d torn: %v", page, err)
		}
		if !strings.Contains(log.String(), "one of two meta pages is unusable") {
			t.Errorf("log: %s", log.String())
		}
		must(t, s, func(tx *Tx) error { return testDoc.Put(tx, "o", nil) })
		if err := errors.Join(s.Close(), Check(dir)); err != nil {
			t.Error(err)
		}
	}
}

// readAll reads every byte of the store by the ways that users have.
func readAll(s *Store) error {
	sum := 0
	add := func(_ string, v []byte) error {
		sum += bytes.Count(v, []byte{1})
		return nil
	}
	return s.View(func(tx *Tx) error {
		return errors.Join(testDoc.Each(tx, add),
			testMap.Owners(tx, "", func(o string) error { return testMap.Each(tx, o, add) }),
			testLog.Owners(tx, "", func(o string) error {
				return testLog.Each(tx, o, 0, func(_ uint64, v []byte) error { return add(o, v) })
			}))
	})
}

// TestFlippedBitsNeverEndTheProcess opens and reads files with some bytes of the
// page headers and elements changed. Any error will do, a crash or a hang not.
func TestFlippedBitsNeverEndTheProcess(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(makeStore(t), mainFile))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	found := map[string]int{}
	for range 60 {
		bad := bytes.Clone(good)
		for range 1 + r.IntN(20) {
			page := r.IntN(len(bad)/os.Getpagesize()) * os.Getpagesize()
			bad[page+r.IntN(400)] ^= 1 << r.IntN(8)
		}
		if err := os.WriteFile(filepath.Join(dir, mainFile), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(Options{Dir: dir, Logger: quiet})
		if err != nil {
			found["open"]++
			continue
		}
		if err := readAll(s); err != nil {
			found["read"]++
		}
		s.Close()
		if Check(dir) != nil {
			found["check"]++
		}
	}
	if found["open"] == 0 {
		t.Errorf("60 damaged files, found %v", found)
	}
}

// TestFileCutOffWhileOpenIsAnErrorOfTheRead: the disk fails under a store that
// runs. Reads of what is gone fail, the process lives, the rest can be read.
func TestFileCutOffWhileOpenIsAnErrorOfTheRead(t *testing.T) {
	dir := makeStore(t)
	s, err := Open(Options{Dir: dir, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Truncate(s.Path(), int64(4*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := readAll(s); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), s.Path()) {
			t.Errorf("View: %v", err)
		}
	}
	err = s.UpdateWait(func(tx *Tx) error { return testDoc.Put(tx, owner(300), []byte("x")) })
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("Update: %v", err)
	}
	if st := s.Stats(); st.Damaged < 3 || st.Panics != 0 {
		t.Errorf("stats: %d damaged, %d panics", st.Damaged, st.Panics)
	}
}

func TestCheckFindsAWrongTally(t *testing.T) {
	dir := makeStore(t)
	if err := Check(dir); err != nil {
		t.Fatalf("Check of a good store: %v", err)
	}
	db, err := bolt.Open(filepath.Join(dir, mainFile), 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(testLog.name)
		return errors.Join(b.Put([]byte(owner(3)+"\x00"), make([]byte, 16)), b.Put([]byte(owner(4)+"\x00\x00\x00\x00\x00\x00\x00\x00\x01"), []byte{9}))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	err = Check(dir)
	for _, o := range []int{3, 4} {
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), fmt.Sprintf("log \"test\" of %q", owner(o))) {
			t.Errorf("Check: %v\nwant %s in it", err, owner(o))
		}
	}
}

func TestCheckMakesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	if err := Check(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Check: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Check made %s: %v", dir, err)
	}
}

func TestCheckOfAnOpenStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	openTest(t, dir)
	if err := Check(dir); !errors.Is(err, ErrLocked) {
		t.Errorf("Check: %v, want locked", err)
	}
}
