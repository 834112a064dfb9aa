package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	bolt "go.etcd.io/bbolt"
)

// Log is entries in the order of their appending, per owner. Declare it once
// with NewLog.
//
// In the bucket, the key of an entry is owner, NUL, id (8 bytes, big endian).
// The key owner, NUL holds the tally of that owner's entries.
type Log struct {
	name  []byte
	limit LogLimit
}

// LogLimit is what one owner may have in a Log. Zero means no limit.
type LogLimit struct {
	Entries int
	Bytes   int64 // of values, before compression
}

// NewLog declares a Log. The name is its place in the file: it must be the only
// Log of that name and stay for ever. The limit holds for appends to come.
func NewLog(name string, limit LogLimit) Log { return Log{bucketName(logKind, name), limit} }

// Append adds v, copied, at the end of owner's log and returns its id.
//
// Ids grow within the log, over all owners, and are never given twice. An id is
// the time of the transaction in nanoseconds since 1970, or one more than the
// id before it if that is not greater.
//
// It returns ErrTooLarge, ErrFull or ErrKey, and then has written nothing.
func (l Log) Append(tx *Tx, owner string, v []byte) (id uint64, err error) {
	if err := checkOwnerValue(owner, v); err != nil {
		return 0, err
	}
	b, err := tx.makeBucket(l.name)
	if err != nil {
		return 0, err
	}
	t := readTally(b.Get(tx.prefix(owner)))
	if err := l.check(t, len(v)); err != nil {
		return 0, fmt.Errorf("%w for %s", err, owner)
	}
	id = max(tx.now, b.Sequence()+1)
	if err := b.SetSequence(id); err != nil {
		return 0, err
	}
	if err := tx.putKept(b, tx.entry(owner, id), tx.pack(v)); err != nil {
		return 0, err
	}
	return id, tx.putTally(b, owner, tally{t.entries + 1, t.bytes + uint64(len(v))})
}

// check says whether a value of n bytes may be added to a log of size t.
func (l Log) check(t tally, n int) error {
	switch {
	case l.limit.Bytes > 0 && int64(n) > l.limit.Bytes:
		return fmt.Errorf("%w: %d bytes, the whole log may have %d", ErrTooLarge, n, l.limit.Bytes)
	case l.limit.Entries > 0 && t.entries >= uint64(l.limit.Entries):
		return fmt.Errorf("%w: %d entries", ErrFull, t.entries)
	case l.limit.Bytes > 0 && t.bytes+uint64(n) > uint64(l.limit.Bytes):
		return fmt.Errorf("%w: %d bytes and %d more", ErrFull, t.bytes, n)
	}
	return nil
}

// Each calls fn for the entries of owner with an id greater than after, oldest
// first. fn borrows v until it returns, and must not write to l. An error of fn
// ends it; ErrStop without error. ErrDamaged is an entry that cannot be unpacked.
func (l Log) Each(tx *Tx, owner string, after uint64, fn func(id uint64, v []byte) error) error {
	b := tx.bucket(l.name)
	if b == nil || after == math.MaxUint64 {
		return nil
	}
	c := b.Cursor()
	seek := bytes.Clone(tx.entry(owner, after+1))
	prefix := seek[:len(owner)+1]
	for k, packed := c.Seek(seek); bytes.HasPrefix(k, prefix); k, packed = c.Next() {
		if err := l.give(tx, owner, k, packed, fn); err != nil {
			return stopped(err)
		}
	}
	return nil
}

// EachBack calls fn for the entries of owner with an id smaller than before,
// newest first; else as Each. Pass math.MaxUint64 to begin with the last one.
func (l Log) EachBack(tx *Tx, owner string, before uint64, fn func(id uint64, v []byte) error) error {
	b := tx.bucket(l.name)
	if b == nil {
		return nil
	}
	c := b.Cursor()
	seek := bytes.Clone(tx.entry(owner, before))
	prefix := seek[:len(owner)+1]
	step := c.Prev
	if k, _ := c.Seek(seek); k == nil {
		step = c.Last
	}
	for k, packed := step(); len(k) > len(prefix) && bytes.HasPrefix(k, prefix); k, packed = c.Prev() {
		if err := l.give(tx, owner, k, packed, fn); err != nil {
			return stopped(err)
		}
	}
	return nil
}

// give unpacks the entry stored under k and hands it to fn.
func (l Log) give(tx *Tx, owner string, k, packed []byte, fn func(id uint64, v []byte) error) error {
	v, err := tx.unpack(packed)
	if err != nil {
		return fmt.Errorf("store: %s of %s: %w", l.name[2:], owner, err)
	}
	return fn(binary.BigEndian.Uint64(k[len(owner)+1:]), v)
}

// Get returns the entry of owner with that id, nil if there is none. It is
// borrowed until the next call with tx.
func (l Log) Get(tx *Tx, owner string, id uint64) ([]byte, error) {
	b := tx.bucket(l.name)
	if b == nil {
		return nil, nil
	}
	packed := b.Get(tx.entry(owner, id))
	if packed == nil {
		return nil, nil
	}
	return tx.unpack(packed)
}

// Len returns the number of owner's entries. It does not walk them.
func (l Log) Len(tx *Tx, owner string) int { return int(l.tally(tx, owner).entries) }

// Bytes returns the bytes of owner's values, before compression, without a walk.
func (l Log) Bytes(tx *Tx, owner string) int64 { return int64(l.tally(tx, owner).bytes) }

func (l Log) tally(tx *Tx, owner string) tally {
	b := tx.bucket(l.name)
	if b == nil {
		return tally{}
	}
	return readTally(b.Get(tx.prefix(owner)))
}

// Delete removes the entry with that id if it is there.
func (l Log) Delete(tx *Tx, owner string, id uint64) error {
	return l.deleteRange(tx, owner, id, id)
}

// DeleteUpTo removes the entries with that id and smaller ones.
func (l Log) DeleteUpTo(tx *Tx, owner string, id uint64) error {
	return l.deleteRange(tx, owner, 0, id)
}

// DeleteAll removes all entries of owner.
func (l Log) DeleteAll(tx *Tx, owner string) error {
	return l.deleteRange(tx, owner, 0, math.MaxUint64)
}

// deleteRange removes the entries with ids from first to last, both included.
func (l Log) deleteRange(tx *Tx, owner string, first, last uint64) error {
	if !tx.write {
		return ErrReadOnly
	}
	b := tx.bucket(l.name)
	if b == nil {
		return nil
	}
	t := readTally(b.Get(tx.prefix(owner)))
	seek := bytes.Clone(tx.entry(owner, first))
	prefix := seek[:len(owner)+1]
	c := b.Cursor()
	for k, v := c.Seek(seek); bytes.HasPrefix(k, prefix); k, v = c.Seek(seek) {
		if binary.BigEndian.Uint64(k[len(prefix):]) > last {
			break
		}
		t.entries--
		t.bytes -= uint64(unpackedLen(v))
		if err := tx.delete(b, k); err != nil {
			return err
		}
	}
	return tx.putTally(b, owner, t)
}

// Owners calls fn for every owner that has an entry and is not before from, in
// order of bytes.
func (l Log) Owners(tx *Tx, from string, fn func(owner string) error) error {
	b := tx.bucket(l.name)
	if b == nil {
		return nil
	}
	return owners(b, from, fn)
}

// entry returns the stored key of an entry, in scratch.
func (tx *Tx) entry(owner string, id uint64) []byte {
	tx.key = binary.BigEndian.AppendUint64(tx.prefix(owner), id)
	return tx.key
}

// tally is how much one owner has in a log.
type tally struct{ entries, bytes uint64 }

func readTally(v []byte) tally {
	if len(v) != 16 {
		return tally{}
	}
	return tally{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])}
}

// putTally stores the tally of owner, or removes it with the last entry.
func (tx *Tx) putTally(b *bolt.Bucket, owner string, t tally) error {
	if t.entries == 0 {
		return tx.delete(b, tx.prefix(owner))
	}
	v := binary.BigEndian.AppendUint64(tx.kept.alloc(16)[:0], t.entries)
	return tx.putKept(b, tx.prefix(owner), binary.BigEndian.AppendUint64(v, t.bytes))
}
