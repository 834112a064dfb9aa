package store

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Queue is numbered values that belong to a key of a Map, such as a session, and
// that are mostly forgotten within seconds. They go into the journal, which costs
// a copy each, and get to main.db only if they are still there when their part of
// the journal is full. Declare it once with NewQueue.
//
// A number counts modulo 2^32: of two, the later is the one less than 2^31 ahead.
// It is put once, or again with the same value, and not after it was forgotten.
// What belongs to a key that is not in the Map any more is gone, and so is what is
// put for it later: a key must not come back.
//
// Get, Each and Counted see what is in main.db: all that there was at Open, and
// what Keep has put.
type Queue struct {
	entries, of Map
	tag         string // names it in the journal
}

// NewQueue declares a Queue, for keys of 8 bytes in of. The name is its place in
// the file, and that of a Map as well: it must be the only one and stay for ever.
func NewQueue(name string, of Map) Queue {
	q := Queue{NewMap(name), of, name + "/" + string(of.name[2:])}
	if len(q.tag) > 255 || strings.Contains(name, "/") {
		panic("store: the name of a Queue is too long or has a slash: " + name)
	}
	return q
}

// QueueKey is the key in the Map of what belongs to id.
func QueueKey(id uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id)
	return string(b[:])
}

func entryKey(id, n uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], id)
	binary.BigEndian.PutUint64(b[8:], n)
	return string(b[:])
}

// reached reports whether n is not later than upTo.
func reached(n, upTo uint64) bool { return int32(uint32(n)-uint32(upTo)) <= 0 }

// Put adds value n of owner's id to r: parts joined, copied.
func (q Queue) Put(r *Records, owner string, id, n uint64, parts ...[]byte) error {
	return r.add(recordPut, q.tag, owner, id, n, parts...)
}

// Forget forgets the values of owner's id up to a number.
func (q Queue) Forget(r *Records, owner string, id, upTo uint64) error {
	return r.add(recordForget, q.tag, owner, id, upTo)
}

// Count forgets the values of owner's id up to a number, and keeps the number for
// Counted.
func (q Queue) Count(r *Records, owner string, id, upTo uint64) error {
	return r.add(recordCount, q.tag, owner, id, upTo)
}

// Keep puts value n of owner's id into main.db: one that will be there for long,
// or that is to be read. v is copied.
func (q Queue) Keep(tx *Tx, owner string, id, n uint64, v []byte) error {
	return q.entries.Put(tx, owner, entryKey(id, n), v)
}

// KeepCount is Count in main.db.
func (q Queue) KeepCount(tx *Tx, owner string, id, upTo uint64) error {
	if err := q.trim(tx, owner, id, upTo); err != nil {
		return err
	}
	return q.entries.Put(tx, owner, QueueKey(id), binary.BigEndian.AppendUint64(nil, upTo))
}

// Get returns value n of owner's id, nil if main.db has none; borrowed.
func (q Queue) Get(tx *Tx, owner string, id, n uint64) []byte {
	return q.entries.Get(tx, owner, entryKey(id, n))
}

// Each calls fn for the values of owner's id that are in main.db, by number, of 64
// bits. fn borrows v. An error of fn ends it; ErrStop without error.
func (q Queue) Each(tx *Tx, owner string, id uint64, fn func(n uint64, v []byte) error) error {
	prefix := QueueKey(id)
	return q.entries.EachFrom(tx, owner, prefix, func(k string, v []byte) error {
		switch {
		case len(k) < 8 || k[:8] != prefix:
			return ErrStop
		case len(k) != 16:
			return nil // the count
		}
		return fn(binary.BigEndian.Uint64([]byte(k[8:])), v)
	})
}

// Counted returns what Count was last told of owner's id.
func (q Queue) Counted(tx *Tx, owner string, id uint64) (upTo uint64, ok bool) {
	v := q.entries.Get(tx, owner, QueueKey(id))
	if len(v) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(v), true
}

// Drop removes from main.db all that belongs to owner's id. What is in the
// journal goes when the key of the Map does.
func (q Queue) Drop(tx *Tx, owner string, id uint64) error {
	if err := q.trimIf(tx, owner, id, func(uint64) bool { return true }); err != nil {
		return err
	}
	return q.entries.Delete(tx, owner, QueueKey(id))
}

// trim removes from main.db the values up to a number.
func (q Queue) trim(tx *Tx, owner string, id, upTo uint64) error {
	return q.trimIf(tx, owner, id, func(n uint64) bool { return reached(n, upTo) })
}

func (q Queue) trimIf(tx *Tx, owner string, id uint64, is func(n uint64) bool) error {
	var gone []uint64
	err := q.Each(tx, owner, id, func(n uint64, _ []byte) error {
		if is(n) {
			gone = append(gone, n)
		}
		return nil
	})
	for _, n := range gone {
		if err == nil {
			err = q.entries.Delete(tx, owner, entryKey(id, n))
		}
	}
	return err
}

// alive reports whether owner's id is in the Map that it belongs to.
func (q Queue) alive(tx *Tx, owner string, id uint64) bool {
	return q.of.Get(tx, owner, QueueKey(id)) != nil
}

// Records are changes of Queues on their way into the journal. They can be made
// on any goroutine. The zero Records is empty.
type Records struct{ b []byte }

// What a record says.
const (
	recordPut = iota + 1
	recordForget
	recordCount
)

// recordHeader is the length of what a record begins with, numbers little
// endian: length of the record u32; kind, length of the tag u8; length of the
// owner u16; id, number u64. Tag, owner and value follow.
const recordHeader = 24

func (r *Records) add(kind byte, tag, owner string, id, n uint64, parts ...[]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if err := CheckOwner(owner); err != nil {
		return err
	}
	if size > MaxValue {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxValue)
	}
	b := binary.LittleEndian.AppendUint32(r.b, uint32(recordHeader+len(tag)+len(owner)+size))
	b = append(b, kind, byte(len(tag)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(owner)))
	b = binary.LittleEndian.AppendUint64(b, id)
	b = binary.LittleEndian.AppendUint64(b, n)
	b = append(append(b, tag...), owner...)
	for _, p := range parts {
		b = append(b, p...)
	}
	r.b = b
	return nil
}

// Bytes returns how many bytes they take.
func (r *Records) Bytes() int { return len(r.b) }

// Reset makes r empty and keeps up to keep bytes of its memory.
func (r *Records) Reset(keep int) {
	if cap(r.b) > keep {
		r.b = nil
	}
	r.b = r.b[:0]
}

// Journal adds records to the journal when the transaction commits, those of one
// update all or none. They must stay as they are until then. A crash before done
// may leave them without what the update has put into main.db, but not the other
// way round.
func (tx *Tx) Journal(r *Records) error {
	switch {
	case !tx.write:
		return ErrReadOnly
	case len(r.b) == 0:
		return nil
	}
	tx.pending.records = append(tx.pending.records, r.b)
	tx.size += len(r.b)
	return nil
}

// record is a record as it lies in a frame, borrowed.
type record struct {
	kind       byte
	tag, owner []byte
	id, n      uint64
	value      []byte
}

// parseRecord reads the record that b begins with, and returns its length.
func parseRecord(b []byte) (r record, size int, err error) {
	if len(b) < recordHeader {
		return r, 0, damaged("a record of %d bytes", len(b))
	}
	size = int(binary.LittleEndian.Uint32(b))
	tag := recordHeader + int(b[5])
	owner := tag + int(binary.LittleEndian.Uint16(b[6:]))
	if size > len(b) || owner > size || b[4] < recordPut || b[4] > recordCount {
		return r, 0, damaged("a record of kind %d and %d bytes in %d", b[4], size, len(b))
	}
	return record{
		kind: b[4], tag: b[recordHeader:tag], owner: b[tag:owner], value: b[owner:size],
		id: binary.LittleEndian.Uint64(b[8:]), n: binary.LittleEndian.Uint64(b[16:]),
	}, size, nil
}

// queue returns the queue that a record is about.
func (r *record) queue() (Queue, error) {
	name, of, ok := strings.Cut(string(r.tag), "/")
	if !ok {
		return Queue{}, damaged("a record of %q", r.tag)
	}
	return NewQueue(name, NewMap(of)), nil
}
