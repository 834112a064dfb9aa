package store

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// step returns a migration that notes its name in the file.
func step(name string, err error) migration {
	return func(tx *bolt.Tx) error {
		b, e := tx.CreateBucketIfNotExists([]byte("steps"))
		if e != nil {
			return e
		}
		return errors.Join(b.Put([]byte("ran"), append(b.Get([]byte("ran")), name...)), err)
	}
}

func ran(t *testing.T, s *Store) (text string) {
	t.Helper()
	err := s.db.View(func(tx *bolt.Tx) error {
		text = string(tx.Bucket([]byte("steps")).Get([]byte("ran")))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return text
}

func TestMigrationsRunOnceAndInOrder(t *testing.T) {
	opt := Options{Dir: t.TempDir(), Logger: quiet}.withDefaults()
	steps := []migration{step("a", nil), step("b", nil), step("c", errOnPurpose)}
	for i, want := range []string{"ab", "ab", "ab", "abc", "abc"} {
		if i == 3 {
			steps[2] = step("c", nil)
		}
		n := 2
		if i >= 2 {
			n = 3
		}
		s, err := open(opt, steps[:n])
		if i == 2 {
			if !errors.Is(err, errOnPurpose) || !strings.Contains(err.Error(), "from version 2 to 3") {
				t.Errorf("a step that fails: %v", err)
			}
			s, err = open(opt, steps[:2])
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := ran(t, s); got != want {
			t.Errorf("open %d: steps %q ran, want %q", i, got, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNewerFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	opt := Options{Dir: dir, Logger: quiet}.withDefaults()
	s, err := open(opt, append(migrations[:len(migrations):len(migrations)], step("x", nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = Open(opt)
		if !errors.Is(err, ErrVersion) || !strings.HasPrefix(err.Error(), "store: open "+filepath.Join(dir, mainFile)+": ") {
			t.Errorf("Open: %v", err)
		}
	}
}

func TestForeignDatabaseIsRefused(t *testing.T) {
	dir := t.TempDir()
	db, err := bolt.Open(filepath.Join(dir, mainFile), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "not a store") {
		t.Errorf("Open: %v", err)
	}
}
