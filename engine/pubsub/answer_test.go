package pubsub

import (
	"errors"
	"strings"
	"testing"

	"meerkat/engine/jid"
	"meerkat/store"
	"meerkat/xml"
)

// Who names an item many times gets no answer of any size.
func TestNamedItemsAreBounded(t *testing.T) {
	st := open(t)
	size := maxAnswer / 4
	err := st.UpdateWait(func(tx *store.Tx) error {
		_, err := personal.Publish(tx, Limits{Items: 1}, juliet, mood, Item{ID: "a", Payload: make([]byte, size)}, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := func(times int) (n int, err error) {
		var doc xml.Doc
		e, err := doc.Parse([]byte("<items xmlns='"+Space+"'>"+strings.Repeat("<item id='a'/>", times)+"</items>"), "")
		if err != nil {
			t.Fatal(err)
		}
		_ = st.View(func(tx *store.Tx) error {
			var list []Item
			node, _ := Find(tx, juliet, mood)
			list, err = node.named(tx, juliet, e)
			n = len(list)
			return nil
		})
		return n, err
	}
	if n, err := named(4); n != 4 || err != nil {
		t.Errorf("what fits: %d items, %v", n, err)
	}
	if n, err := named(5); n != 0 || !errors.Is(err, errAnswerTooBig) {
		t.Errorf("what does not fit: %d items, %v", n, err)
	}
}

// One account does not use up the subscriptions of a node by making resources up.
func TestResourcesOfOneSubscriberAreBounded(t *testing.T) {
	st := open(t)
	r := request{owner: juliet, node: mood, lim: Limits{Items: 1, Subscribers: 1000}}
	open := PersonalConfig
	open.Access = Open
	subscribe := func(full string) error {
		r.who = jid.MustParse(full)
		return st.UpdateWait(func(tx *store.Tx) error { _, err := personal.subscribeTo(tx, &r, r.who); return err })
	}
	if err := st.UpdateWait(func(tx *store.Tx) error {
		_, err := personal.Publish(tx, r.lim, juliet, mood, Item{ID: "a"}, &open)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for i := range maxResources {
		if err := subscribe("romeo@test/" + string(rune('A'+i))); err != nil {
			t.Fatalf("resource %d: %v", i, err)
		}
	}
	if err := subscribe("romeo@test/more"); !errors.Is(err, limitError(fullSubscribers)) {
		t.Errorf("one more: %v", err)
	}
	if err := subscribe("romeo@test/A"); err != nil {
		t.Errorf("one of them again: %v", err)
	}
	if err := subscribe("nurse@test/A"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}
