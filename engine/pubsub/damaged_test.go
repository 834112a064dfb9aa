package pubsub

import (
	"errors"
	"testing"

	"meerkat/store"
)

// What is damaged is refused, and not taken for a node that is not there.
func TestDamagedNodesAreNotMadeAnew(t *testing.T) {
	st := open(t)
	publish := func(tx *store.Tx) error {
		_, err := personal.Publish(tx, Limits{Items: 1}, juliet, mood, Item{ID: "a", Payload: []byte("<x/>")}, nil)
		return err
	}
	for _, damage := range []func(tx *store.Tx) error{
		func(tx *store.Tx) error { return nodes.Put(tx, juliet, mood, []byte{9, 9}) },
		func(tx *store.Tx) error { return items.Put(tx, juliet, itemKey(mood, 1), []byte("x")) },
	} {
		err := st.UpdateWait(func(tx *store.Tx) error {
			for _, m := range []store.Map{nodes, items, numbers} {
				if err := m.DeleteAll(tx, juliet); err != nil {
					return err
				}
			}
			if err := publish(tx); err != nil {
				return err
			}
			return damage(tx)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.UpdateWait(publish); !errors.Is(err, errDamaged) {
			t.Errorf("publishing over what is damaged: %v", err)
		}
	}
}

// Counts that are too small do not become very large ones.
func TestDamagedCountsDoNotWrap(t *testing.T) {
	st := open(t)
	err := st.UpdateWait(func(tx *store.Tx) error {
		if _, err := personal.Publish(tx, Limits{Items: 1}, juliet, mood, Item{ID: "a", Payload: []byte("<x/>")}, nil); err != nil {
			return err
		}
		if err := (tally{nodes: 1}).put(tx, juliet); err != nil {
			return err
		}
		_, err := personal.Retract(tx, juliet, mood, "a")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = st.View(func(tx *store.Tx) error {
		if got := readTally(tx, juliet); got != (tally{nodes: 1}) {
			t.Errorf("the tally is %+v", got)
		}
		return nil
	})
}
