package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
)

var (
	testDoc = NewDoc("test")
	testMap = NewMap("test")
	testLog = NewLog("test", LogLimit{Entries: 5, Bytes: 4000})
)

// quiet is a logger for tests that make trouble on purpose.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// openTest opens the store in dir, and closes it with the test.
func openTest(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, Logger: quiet})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// must fails the test if an update fails.
func must(t testing.TB, s *Store, fn func(tx *Tx) error) {
	t.Helper()
	if err := s.UpdateWait(fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func TestWhatIsPutIsThereAfterReopen(t *testing.T) {
	dir := t.TempDir()
	s := openTest(t, dir)
	must(t, s, func(tx *Tx) error {
		_, err := testLog.Append(tx, "o", []byte("entry"))
		return errors.Join(err, testDoc.Put(tx, "o", []byte("doc")), testMap.Put(tx, "o", "k", []byte("value")))
	})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openTest(t, dir)
	var got string
	err := s.View(func(tx *Tx) error {
		got = fmt.Sprintf("%s %s", testDoc.Get(tx, "o"), testMap.Get(tx, "o", "k"))
		return testLog.Each(tx, "o", 0, func(_ uint64, v []byte) error { got += " " + string(v); return nil })
	})
	if want := "doc value entry"; got != want || err != nil {
		t.Errorf("after reopen: %q, %v, want %q", got, err, want)
	}
}

// TestMapSizeThatDoesNotFitIsNoError: a system may give less address space.
func TestMapSizeThatDoesNotFitIsNoError(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir(), Logger: quiet, MapSize: 1 << 47})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 { // grows, and is mapped anew
		must(t, s, put(i, 1<<20))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
