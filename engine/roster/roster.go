// Package roster keeps who an account's contacts are (RFC 6121 §2): the stored
// form, which is read where it lies, and the changes of Appendix A. It knows
// nothing of sessions but whom a push goes to.
package roster

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sort"

	"meerkat/store"
)

// doc has one value per account:
//
//	1 byte   format, 1
//	8 bytes  version, big endian like all numbers here
//	4 bytes  number of items n
//	n*4      where each item starts, in order of JID
//	items    state (1), JID, name, number of groups (1), groups, request;
//	         every string with its length before it (2 bytes), request with 4
var doc = store.NewDoc("rosters")

const head = 1 + 8 + 4

var errDamaged = errors.New("roster: damaged")

// View is a stored roster, borrowed from a transaction. The zero View is an
// empty roster that was never changed.
type View []byte

// Load returns owner's roster, borrowed until the transaction ends. One that is
// damaged looks empty; changes refuse to touch it.
func Load(tx *store.Tx, owner string) View {
	v, _ := load(tx, owner) // readers show what there is
	return v
}

func load(tx *store.Tx, owner string) (View, error) {
	v := View(doc.Get(tx, owner))
	switch {
	case v == nil:
		return nil, nil
	case len(v) < head || v[0] != 1 || len(v) < head+4*int(binary.BigEndian.Uint32(v[9:])):
		return nil, fmt.Errorf("%w: %s", errDamaged, owner)
	}
	return v, nil
}

// Version counts the changes of what clients see. It is 0 while there were none.
func (v View) Version() uint64 {
	if v == nil {
		return 0
	}
	return binary.BigEndian.Uint64(v[1:])
}

// nextVersion begins anywhere: an account that is made again, or comes from a
// backup, must not have a version that a client knows for other contacts
// (RFC 6121 §2.6).
func (v View) nextVersion() uint64 {
	if v := v.Version(); v != 0 {
		return v + 1
	}
	return rand.Uint64()>>1 | 1
}

// Len returns the number of items, stubs of pending requests included.
func (v View) Len() int {
	if v == nil {
		return 0
	}
	return int(binary.BigEndian.Uint32(v[9:]))
}

// Item is a view of one contact.
type Item struct {
	State   State
	JID     []byte // bare, prepared
	Name    []byte
	Request []byte // the stanza that asked, while In is set
	groups  []byte
	n       int
}

// At returns item i, 0 <= i < Len, in order of JID.
func (v View) At(i int) Item {
	at := binary.BigEndian.Uint32(v[head+4*i:])
	return parse(v[at:])
}

func parse(b []byte) Item {
	it := Item{State: State(b[0])}
	b = b[1:]
	it.JID, b = short(b)
	it.Name, b = short(b)
	it.n, b = int(b[0]), b[1:]
	it.groups = b
	for range it.n {
		_, b = short(b)
	}
	it.groups = it.groups[:len(it.groups)-len(b)]
	n := binary.BigEndian.Uint32(b)
	it.Request = b[4 : 4+n]
	return it
}

func short(b []byte) (s, rest []byte) {
	n := int(binary.BigEndian.Uint16(b))
	return b[2 : 2+n], b[2+n:]
}

// Groups yields the names of the item's groups.
func (it Item) Groups() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b := it.groups
		for range it.n {
			var g []byte
			if g, b = short(b); !yield(g) {
				return
			}
		}
	}
}

// Find returns the item of jid, a bare JID.
func (v View) Find(jid string) (Item, bool) {
	n := v.Len()
	i := sort.Search(n, func(i int) bool {
		at := binary.BigEndian.Uint32(v[head+4*i:])
		name, _ := short(v[at+1:])
		return string(name) >= jid
	})
	if i == n {
		return Item{}, false
	}
	it := v.At(i)
	return it, string(it.JID) == jid
}

// All yields every item.
func (v View) All() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		for i := range v.Len() {
			if !yield(v.At(i)) {
				return
			}
		}
	}
}

// Contact is an Item in memory of its own, to be changed.
type Contact struct {
	State   State
	JID     string
	Name    string
	Groups  []string
	Request []byte
}

// Clone copies it.
func (it Item) Clone() Contact {
	c := Contact{State: it.State, JID: string(it.JID), Name: string(it.Name)}
	for g := range it.Groups() {
		c.Groups = append(c.Groups, string(g))
	}
	c.Request = append(c.Request, it.Request...)
	return c
}

// replace returns v with contact c instead of the item of its JID, or without
// that if c has no state left.
func (v View) replace(c Contact, version uint64) []byte {
	var offsets []uint32
	var items []byte
	add := func(item []byte) {
		offsets = append(offsets, uint32(len(items)))
		items = append(items, item...)
	}
	done := c.State == 0
	for i := range v.Len() {
		it := v.At(i)
		if !done && c.JID <= string(it.JID) {
			add(c.append(nil))
			done = true
		}
		if c.JID != string(it.JID) {
			add(it.raw(v, i))
		}
	}
	if !done {
		add(c.append(nil))
	}
	return join(version, offsets, items)
}

func (it Item) raw(v View, i int) []byte {
	at := binary.BigEndian.Uint32(v[head+4*i:])
	n := 1 + 2 + len(it.JID) + 2 + len(it.Name) + 1 + len(it.groups) + 4 + len(it.Request)
	return v[at : int(at)+n]
}

func join(version uint64, offsets []uint32, items []byte) []byte {
	start := head + 4*len(offsets)
	b := make([]byte, 0, start+len(items))
	b = append(b, 1)
	b = binary.BigEndian.AppendUint64(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(len(offsets)))
	for _, o := range offsets {
		b = binary.BigEndian.AppendUint32(b, uint32(start)+o)
	}
	return append(b, items...)
}

func (c Contact) append(b []byte) []byte {
	b = append(b, byte(c.State))
	b = appendShort(b, c.JID)
	b = appendShort(b, c.Name)
	b = append(b, byte(len(c.Groups)))
	for _, g := range c.Groups {
		b = appendShort(b, g)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(c.Request)))
	return append(b, c.Request...)
}

func appendShort(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// Check reads a whole roster and reports what is wrong with it.
func Check(v []byte) (err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%w: an item runs over the end", errDamaged)
		}
	}()
	last := ""
	for it := range View(v).All() {
		if string(it.JID) <= last {
			return fmt.Errorf("%w: %q after %q", errDamaged, it.JID, last)
		}
		last = string(it.JID)
	}
	return nil
}

// Build returns the stored form of a whole roster; contacts need not be in
// order. For seeding and import.
func Build(version uint64, contacts []Contact) []byte {
	sort.Slice(contacts, func(i, j int) bool { return contacts[i].JID < contacts[j].JID })
	var offsets []uint32
	var items []byte
	for _, c := range contacts {
		offsets = append(offsets, uint32(len(items)))
		items = c.append(items)
	}
	return join(version, offsets, items)
}

// Put stores a whole roster in the stored form.
func Put(tx *store.Tx, owner string, b []byte) error { return doc.Put(tx, owner, b) }
