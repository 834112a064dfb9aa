package pubsub

import (
	"encoding/binary"
	"slices"
	"time"

	"meerkat/store"
)

// Item is something published.
type Item struct {
	ID        string
	Publisher string    // bare JID
	Time      time.Time // of its publication, to the millisecond
	// Payload is one element that means the same wherever it is put; nil for an
	// item without one. Of an Item that was read it is borrowed from the
	// transaction.
	Payload []byte
}

func (it *Item) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(it.Time.UnixMilli()))
	for _, s := range []string{it.Publisher, it.ID} {
		b = store.AppendField(b, s)
	}
	return append(b, it.Payload...)
}

func parseItem(v []byte) (it Item, err error) {
	if len(v) < 8 {
		return it, errDamaged
	}
	it.Time = time.UnixMilli(int64(binary.BigEndian.Uint64(v))).UTC()
	r := store.Fields{Rest: v[8:]}
	it.Publisher, it.ID = r.Text(), r.Text()
	it.Payload = r.Rest
	if r.Bad {
		err = errDamaged
	}
	return it, err
}

func itemKey(node string, number uint64) string {
	return string(binary.BigEndian.AppendUint64(append([]byte(node), 0), number))
}

// size is what an item counts for a quota, in bytes.
func (it *Item) size() uint64 { return uint64(len(it.ID) + len(it.Payload)) }

// Item returns the item of that name, false if there is none.
func (n *Node) Item(tx *store.Tx, owner, id string) (it Item, ok bool) {
	number, ok := n.number(tx, owner, id)
	if !ok {
		return it, false
	}
	it, err := parseItem(items.Get(tx, owner, itemKey(n.Name, number)))
	return it, err == nil
}

func (n *Node) number(tx *store.Tx, owner, id string) (uint64, bool) {
	if id == "" || len(id) > maxName {
		return 0, false
	}
	v := numbers.Get(tx, owner, n.Name+"\x00"+id)
	if len(v) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(v), true
}

// LastItem returns the newest item, false if there is none.
func (n *Node) LastItem(tx *store.Tx, owner string) (it Item, ok bool) {
	if n.last == 0 {
		return it, false
	}
	it, err := parseItem(items.Get(tx, owner, itemKey(n.Name, n.last)))
	return it, err == nil
}

// EachItem calls fn for every item, the oldest first.
func (n *Node) EachItem(tx *store.Tx, owner string, fn func(it Item) error) error {
	return eachBelow(items, tx, owner, n.Name, func(_ string, v []byte) error {
		it, err := parseItem(v)
		if err != nil {
			return err
		}
		return fn(it)
	})
}

// store keeps an item, in the place of one of the same name, and removes the
// oldest where the node has too many. t is owner's tally.
func (n *Node) store(tx *store.Tx, owner string, it *Item, most int, t *tally) error {
	if old, ok := n.number(tx, owner, it.ID); ok {
		if err := n.drop(tx, owner, old, t); err != nil {
			return err
		}
	}
	n.seq++
	n.last = n.seq
	n.count++
	n.bytes += it.size()
	t.bytes += it.size()
	if err := items.Put(tx, owner, itemKey(n.Name, n.seq), it.append(nil)); err != nil {
		return err
	}
	if err := numbers.Put(tx, owner, n.Name+"\x00"+it.ID, binary.BigEndian.AppendUint64(nil, n.seq)); err != nil {
		return err
	}
	return n.trim(tx, owner, most, t)
}

// drop removes the item of that number. Node and tally are only counted, not
// stored; which item is the newest then, save finds out.
func (n *Node) drop(tx *store.Tx, owner string, number uint64, t *tally) error {
	key := itemKey(n.Name, number)
	it, err := parseItem(items.Get(tx, owner, key))
	if err != nil {
		return err
	}
	if number == n.last {
		n.last = 0
	}
	n.count = less(n.count, 1)
	n.bytes = less(n.bytes, it.size())
	t.bytes = less(t.bytes, it.size())
	if err := numbers.Delete(tx, owner, n.Name+"\x00"+it.ID); err != nil {
		return err
	}
	return items.Delete(tx, owner, key)
}

// less is a-b, or nothing where counts have been damaged: a quota must not look
// used up for ever.
func less(a, b uint64) uint64 { return a - min(a, b) }

// trim removes the oldest items until there are most.
func (n *Node) trim(tx *store.Tx, owner string, most int, t *tally) error {
	if n.count <= uint64(most) {
		return nil
	}
	for _, number := range n.oldest(tx, owner, int(n.count)-most) {
		if err := n.drop(tx, owner, number, t); err != nil {
			return err
		}
	}
	return nil
}

// oldest returns the numbers of the first so many items.
func (n *Node) oldest(tx *store.Tx, owner string, many int) (list []uint64) {
	_ = eachBelow(items, tx, owner, n.Name, func(rest string, _ []byte) error {
		if len(list) == many {
			return store.ErrStop
		}
		if len(rest) == 8 {
			list = append(list, binary.BigEndian.Uint64([]byte(rest)))
		}
		return nil
	})
	return list
}

// retract removes an item, as drop does, and reports false if there is none.
func (n *Node) retract(tx *store.Tx, owner, id string, t *tally) (ok bool, err error) {
	number, ok := n.number(tx, owner, id)
	if !ok {
		return false, nil
	}
	return true, n.drop(tx, owner, number, t)
}

// save stores the node and owner's tally after items have come and gone.
func (n *Node) save(tx *store.Tx, owner string, t *tally) error {
	if n.last == 0 && n.count > 0 {
		if left := n.oldest(tx, owner, int(n.count)); len(left) > 0 {
			n.last = slices.Max(left)
		}
	}
	if err := n.put(tx, owner); err != nil {
		return err
	}
	return t.put(tx, owner)
}

// clear removes all items.
func (n *Node) clear(tx *store.Tx, owner string) error {
	t := readTally(tx, owner)
	if err := n.trim(tx, owner, 0, &t); err != nil {
		return err
	}
	return n.save(tx, owner, &t)
}
