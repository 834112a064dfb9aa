package store

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestWhatCannotBeStoredIsRefused(t *testing.T) {
	s := openTest(t, t.TempDir())
	long, large := strings.Repeat("o", MaxOwner+1), make([]byte, MaxValue+1)
	unlimited := NewLog("unlimited", LogLimit{})
	tests := []struct {
		name string
		fn   func(tx *Tx) error
		want error
	}{
		{"no owner", func(tx *Tx) error { return testDoc.Put(tx, "", nil) }, ErrKey},
		{"owner with NUL", func(tx *Tx) error { return testMap.Put(tx, "a\x00b", "k", nil) }, ErrKey},
		{"long owner", func(tx *Tx) error { return testDoc.Put(tx, long, nil) }, ErrKey},
		{"longest owner", func(tx *Tx) error { return testDoc.Put(tx, long[1:], nil) }, nil},
		{"no key", func(tx *Tx) error { return testMap.Put(tx, "o", "", nil) }, ErrKey},
		{"long key", func(tx *Tx) error { return testMap.Put(tx, "o", strings.Repeat("k", MaxKey+1), nil) }, ErrKey},
		{"longest both", func(tx *Tx) error { return testMap.Put(tx, long[1:], strings.Repeat("k", MaxKey), nil) }, nil},
		{"large doc", func(tx *Tx) error { return testDoc.Put(tx, "o", large) }, ErrTooLarge},
		{"largest doc", func(tx *Tx) error { return testDoc.Put(tx, "o", large[1:]) }, nil},
		{"large in map", func(tx *Tx) error { return testMap.Put(tx, "o", "k", large) }, ErrTooLarge},
		{"large entry", func(tx *Tx) error { _, err := unlimited.Append(tx, "o", large); return err }, ErrTooLarge},
		{"largest entry", func(tx *Tx) error { _, err := unlimited.Append(tx, "o", large[1:]); return err }, nil},
		{"over the whole log", func(tx *Tx) error { _, err := testLog.Append(tx, "o", large[:4001]); return err }, ErrTooLarge},
		{"the whole log", func(tx *Tx) error { _, err := testLog.Append(tx, "o", large[:4000]); return err }, nil},
		{"a full log", func(tx *Tx) error { _, err := testLog.Append(tx, "o", large[:1]); return err }, ErrFull},
		{"remove nobody", func(tx *Tx) error { return s.RemoveOwner(tx, "") }, ErrKey},
	}
	for _, test := range tests {
		if err := s.UpdateWait(test.fn); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestViewCannotWrite(t *testing.T) {
	s := openTest(t, t.TempDir())
	must(t, s, put(1, 10))
	tests := map[string]func(tx *Tx) error{
		"Doc.Put":         func(tx *Tx) error { return testDoc.Put(tx, "o", nil) },
		"Doc.Delete":      func(tx *Tx) error { return testDoc.Delete(tx, "o") },
		"Map.Put":         func(tx *Tx) error { return testMap.Put(tx, "o", "k", nil) },
		"Map.Delete":      func(tx *Tx) error { return testMap.Delete(tx, "o", "k") },
		"Map.DeleteAll":   func(tx *Tx) error { return testMap.DeleteAll(tx, "o") },
		"Log.Append":      func(tx *Tx) error { _, err := testLog.Append(tx, "o", nil); return err },
		"Log.Delete":      func(tx *Tx) error { return testLog.Delete(tx, "o", 1) },
		"Log.DeleteUpTo":  func(tx *Tx) error { return testLog.DeleteUpTo(tx, "o", 1) },
		"Log.DeleteAll":   func(tx *Tx) error { return testLog.DeleteAll(tx, "o") },
		"Store.RemoveAll": func(tx *Tx) error { return s.RemoveOwner(tx, "o") },
	}
	for name, fn := range tests {
		if err := s.View(fn); !errors.Is(err, ErrReadOnly) {
			t.Errorf("%s: %v, want ErrReadOnly", name, err)
		}
	}
}

func TestNothingThereIsNoError(t *testing.T) {
	s := openTest(t, t.TempDir())
	look := func(tx *Tx) error {
		if testDoc.Get(tx, "o") != nil || testDoc.Get(tx, "") != nil || testMap.Get(tx, "o", "k") != nil ||
			testMap.Get(tx, "o", "") != nil || testMap.Len(tx, "o") != 0 || testLog.Len(tx, "o") != 0 || testLog.Bytes(tx, "o") != 0 {
			t.Error("something in an empty store")
		}
		v, err := testLog.Get(tx, "o", 1)
		if v != nil {
			t.Errorf("entry %q in an empty log", v)
		}
		never := func(string, []byte) error { return errOnPurpose }
		nobody := func(string) error { return errOnPurpose }
		return errors.Join(err, testDoc.Each(tx, never), testMap.Each(tx, "o", never),
			testMap.Owners(tx, "", nobody), testLog.Owners(tx, "", nobody),
			testLog.Each(tx, "o", 0, func(uint64, []byte) error { return errOnPurpose }))
	}
	if err := s.View(look); err != nil {
		t.Error(err)
	}
	must(t, s, func(tx *Tx) error {
		return errors.Join(look(tx), testDoc.Delete(tx, "o"), testMap.Delete(tx, "o", "k"), testMap.DeleteAll(tx, "o"),
			testLog.Delete(tx, "o", 1), testLog.DeleteUpTo(tx, "o", math.MaxUint64), testLog.DeleteAll(tx, "o"), s.RemoveOwner(tx, "o"))
	})
}

func TestPutCopiesAndEmptyIsNotNil(t *testing.T) {
	s := openTest(t, t.TempDir())
	v := []byte("before")
	must(t, s, func(tx *Tx) error {
		_, err := testLog.Append(tx, "o", v)
		err = errors.Join(err, testDoc.Put(tx, "o", v), testMap.Put(tx, "o", "k", v), testDoc.Put(tx, "empty", nil), testMap.Put(tx, "empty", "k", nil))
		copy(v, "after!")
		return err
	})
	_ = s.View(func(tx *Tx) error {
		got := fmt.Sprintf("%s %s", testDoc.Get(tx, "o"), testMap.Get(tx, "o", "k"))
		_ = testLog.Each(tx, "o", 0, func(_ uint64, v []byte) error { got += " " + string(v); return nil })
		if want := "before before before"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if testDoc.Get(tx, "empty") == nil || testMap.Get(tx, "empty", "k") == nil {
			t.Error("an empty value is nil")
		}
		return nil
	})
}

// TestEmptyValueComesFirst: an empty value that is the first thing a transaction
// puts is there in the same transaction, and can be removed.
func TestEmptyValueComesFirst(t *testing.T) {
	s := openTest(t, t.TempDir())
	must(t, s, func(tx *Tx) error {
		if err := testMap.Put(tx, "o", "k", nil); err != nil {
			return err
		}
		if testMap.Get(tx, "o", "k") == nil {
			return errOnPurpose // RemoveOwner would look for it for ever
		}
		return s.RemoveOwner(tx, "o")
	})
}

func TestEachPagesAndStops(t *testing.T) {
	s := openTest(t, t.TempDir())
	var ids []uint64
	must(t, s, func(tx *Tx) (err error) {
		for i := range 5 {
			id, e := testLog.Append(tx, "o", fmt.Append(nil, i))
			ids = append(ids, id)
			k := string(rune('a' + i))
			err = errors.Join(err, e, testDoc.Put(tx, k, nil), testMap.Put(tx, "o", k, nil), testMap.Put(tx, k, "k", nil))
		}
		return err
	})
	_ = s.View(func(tx *Tx) error {
		var got []string
		add := func(k string) error {
			got = append(got, k)
			if k == "d" {
				return ErrStop
			}
			return nil
		}
		addPair := func(k string, _ []byte) error { return add(k) }
		addEntry := func(_ uint64, v []byte) error { return add(string(v[0] + 'a' - '0')) }
		for name, each := range map[string]func() error{
			"Doc.EachFrom": func() error { return testDoc.EachFrom(tx, "b", addPair) },
			"Map.EachFrom": func() error { return testMap.EachFrom(tx, "o", "b", addPair) },
			"Map.Owners":   func() error { return testMap.Owners(tx, "b", add) },
			"Log.Each":     func() error { return testLog.Each(tx, "o", ids[0], addEntry) },
		} {
			got = nil
			if err := each(); err != nil || !slices.Equal(got, []string{"b", "c", "d"}) {
				t.Errorf("%s: %v %v, want b c d", name, got, err)
			}
		}
		got = nil
		if err := testLog.EachBack(tx, "o", ids[4], addEntry); err != nil || !slices.Equal(got, []string{"d"}) {
			t.Errorf("Log.EachBack: %v %v, want d", got, err)
		}
		if err := testDoc.Each(tx, func(string, []byte) error { return errOnPurpose }); err != errOnPurpose {
			t.Errorf("an error of fn: %v", err)
		}
		if v, err := testLog.Get(tx, "o", ids[3]); string(v) != "3" || err != nil {
			t.Errorf("Get: %q, %v", v, err)
		}
		return testLog.Each(tx, "o", math.MaxUint64, func(uint64, []byte) error { t.Error("an entry after the last id"); return nil })
	})
}

// TestEachBackIsEachBackwards from every id, among owners before and after.
func TestEachBackIsEachBackwards(t *testing.T) {
	s := openTest(t, t.TempDir())
	for _, o := range []string{"a", "o", "o!"} {
		must(t, s, func(tx *Tx) (err error) {
			for i := range 5 {
				_, e := testLog.Append(tx, o, fmt.Append(nil, o, i))
				err = errors.Join(err, e)
			}
			return err
		})
	}
	_ = s.View(func(tx *Tx) error {
		for _, o := range []string{"a", "o", "o!", "none"} {
			var all []uint64
			_ = testLog.Each(tx, o, 0, func(id uint64, _ []byte) error { all = append(all, id); return nil })
			for n, before := range append(all, math.MaxUint64) {
				var back []uint64
				err := testLog.EachBack(tx, o, before, func(id uint64, v []byte) error {
					back = append(back, id)
					if want := fmt.Sprint(o, n-len(back)); string(v) != want {
						t.Errorf("entry %s, want %s", v, want)
					}
					return nil
				})
				slices.Reverse(back)
				if err != nil || !slices.Equal(back, all[:n]) {
					t.Errorf("%s before %d: %v, %v, want %v", o, before, back, err, all[:n])
				}
			}
		}
		return nil
	})
}

func TestLogIdsAreNotGivenTwice(t *testing.T) {
	dir := t.TempDir()
	last := uint64(0)
	for range 3 {
		s := openTest(t, dir)
		for range 3 {
			must(t, s, func(tx *Tx) error {
				tx.now = 1000 // a clock that went back to 1970
				id, err := testLog.Append(tx, "o", nil)
				if id <= last {
					t.Errorf("id %d after %d", id, last)
				}
				last = id
				return errors.Join(err, testLog.DeleteAll(tx, "o"))
			})
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLongEntriesAreCompressed(t *testing.T) {
	s := openTest(t, t.TempDir())
	log := NewLog("packed", LogLimit{})
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(i * i * i >> 7)
	}
	for _, v := range [][]byte{nil, []byte("short"), bytes.Repeat([]byte("<message/>"), 500), noise} {
		must(t, s, func(tx *Tx) error {
			id, err := log.Append(tx, "o", v)
			if err != nil {
				return err
			}
			stored := tx.b.Bucket(log.name).Get(tx.entry("o", id))
			if len(stored) > len(v)+1 || len(v) == 5000 && v[0] == '<' && len(stored) > 500 {
				t.Errorf("%d bytes stored as %d", len(v), len(stored))
			}
			got, err := log.Get(tx, "o", id)
			if !bytes.Equal(got, v) {
				t.Errorf("%d bytes became %d others", len(v), len(got))
			}
			return err
		})
	}
	_ = s.View(func(tx *Tx) error {
		if n := log.Bytes(tx, "o"); n != 10005 {
			t.Errorf("Bytes %d, want those before compression, 10005", n)
		}
		return nil
	})
}

// TestUnpackIsBounded: bytes that are no value never cost more than a value.
func TestUnpackIsBounded(t *testing.T) {
	tx := &Tx{}
	for _, p := range [][]byte{nil, {2}, {packedS2}, {packedS2, 0xff, 0xff, 0xff, 0xff, 0x0f}, {packedS2, 0x80, 0x80, 0x80, 0x11, 0}, {packedS2, 5, 1, 2}} {
		if v, err := tx.unpack(p); !errors.Is(err, ErrDamaged) || len(tx.plain) > MaxValue {
			t.Errorf("unpack(%x) = %d bytes, %v, want damaged", p, len(v), err)
		}
	}
}

func TestRemoveOwnerLeavesTheOthers(t *testing.T) {
	s := openTest(t, t.TempDir())
	undeclared := NewMap("of a feature that is gone")
	others := []string{"juliet@", "juliet@example.or", "juliet@example.org!", "romeo@example.org"}
	must(t, s, func(tx *Tx) (err error) {
		for _, o := range append(others, "juliet@example.org") {
			_, e := testLog.Append(tx, o, []byte("v"))
			err = errors.Join(err, e, testDoc.Put(tx, o, []byte("v")), testMap.Put(tx, o, "k", []byte("v")), undeclared.Put(tx, o, "k", nil))
		}
		return err
	})
	must(t, s, func(tx *Tx) error { return s.RemoveOwner(tx, "juliet@example.org") })
	_ = s.View(func(tx *Tx) error {
		for _, o := range others {
			if testDoc.Get(tx, o) == nil || testMap.Len(tx, o) != 1 || undeclared.Len(tx, o) != 1 || testLog.Len(tx, o) != 1 {
				t.Errorf("%s lost something", o)
			}
		}
		o := "juliet@example.org"
		if testDoc.Get(tx, o) != nil || testMap.Len(tx, o) != 0 || undeclared.Len(tx, o) != 0 || testLog.Len(tx, o) != 0 {
			t.Errorf("%s has something left", o)
		}
		return nil
	})
}
