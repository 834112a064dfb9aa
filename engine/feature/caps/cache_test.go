package caps

import (
	"encoding/binary"
	"fmt"
	"testing"

	"meerkat/store"
)

// The store has as many sets as the limit allows, and loses those first that have
// not been used for longest.
func TestTheOldestSetsMakeRoom(t *testing.T) {
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	const limit = 16
	gone := 0
	for day := range uint32(limit + 2) {
		err := st.UpdateWait(func(tx *store.Tx) error {
			n, err := put(tx, fmt.Sprintf("sha-1 %d", day), binary.BigEndian.AppendUint32(nil, day), limit)
			gone += n
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := 1 + limit/8; gone != want {
		t.Errorf("%d sets had to go, want %d", gone, want)
	}
	_ = st.View(func(tx *store.Tx) error {
		n := 0
		_ = sets.Each(tx, func(string, []byte) error { n++; return nil })
		if stored := binary.BigEndian.Uint32(count.Get(tx, nobody)); n != limit+2-gone || int(stored) != n {
			t.Errorf("%d sets are left, counted as %d, want %d", n, stored, limit+2-gone)
		}
		if sets.Get(tx, "sha-1 2") != nil || sets.Get(tx, "sha-1 3") == nil {
			t.Error("others than the oldest have gone")
		}
		return nil
	})
}

// A set that is stored again is counted once.
func TestTheSameSetCountsOnce(t *testing.T) {
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for range 3 {
		if err := st.UpdateWait(func(tx *store.Tx) error { _, err := put(tx, "sha-1 x", []byte("0000"), 10); return err }); err != nil {
			t.Fatal(err)
		}
	}
	_ = st.View(func(tx *store.Tx) error {
		if n := binary.BigEndian.Uint32(count.Get(tx, nobody)); n != 1 {
			t.Errorf("counted as %d", n)
		}
		return nil
	})
}
