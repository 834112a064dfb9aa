package store

import (
	"bytes"
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"
)

const (
	// MaxValue is the most bytes of one value.
	MaxValue = 32 << 20

	// MaxOwner and MaxKey are the most bytes of an owner and of a key in a Map.
	MaxOwner = 4 << 10
	MaxKey   = 16 << 10
)

// Tx is a transaction, for the time of the function it was handed to and for
// that function's goroutine. It is a read transaction in View, and in Update the
// part of a write transaction that this update is.
type Tx struct {
	b     *bolt.Tx
	write bool
	key   []byte // scratch: the key of the call that runs
	plain []byte // scratch: the value decompressed last

	last     *bolt.Bucket // of a read transaction: the one used last
	lastName []byte

	// The rest is of write transactions.
	now    uint64 // nanoseconds since 1970 when the transaction began
	kept   arena  // keys and values until the commit
	undo   []change
	size   int  // bytes put so far by all updates of the transaction
	dirty  bool // something was put into main.db
	encode []byte

	pending pending
	marks   marks // of what was pending when the update began
}

// change is what a key was before.
type change struct {
	bucket *bolt.Bucket
	key    []byte
	old    []byte
	had    bool
}

// release forgets the transaction and keeps the buffers if they are small.
func (tx *Tx) release() {
	tx.b, tx.last = nil, nil
	if cap(tx.plain) > 1<<16 {
		tx.plain = nil
	}
}

// put sets key, which may be scratch, to value, which is copied.
func (tx *Tx) put(b *bolt.Bucket, key, value []byte) error {
	return tx.putKept(b, key, tx.kept.copy(value))
}

// putKept is put for a value that stays as it is until the commit.
func (tx *Tx) putKept(b *bolt.Bucket, key, value []byte) error {
	old := b.Get(key)
	if err := b.Put(key, value); err != nil {
		return err
	}
	tx.undo = append(tx.undo, change{b, tx.kept.copy(key), old, old != nil})
	tx.size += len(key) + len(value)
	tx.dirty = true
	return nil
}

// delete removes key if it is there.
func (tx *Tx) delete(b *bolt.Bucket, key []byte) error {
	old := b.Get(key)
	if old == nil {
		return nil
	}
	kept := tx.kept.copy(key)
	if err := b.Delete(key); err != nil {
		return err
	}
	tx.undo = append(tx.undo, change{b, kept, old, true})
	tx.size += len(key)
	tx.dirty = true
	return nil
}

// rollback takes back what was put and deleted since begin, last first.
func (tx *Tx) rollback() error {
	tx.pending.cut(tx.marks)
	for i := len(tx.undo) - 1; i >= 0; i-- {
		c := tx.undo[i]
		var err error
		if c.had {
			err = c.bucket.Put(c.key, c.old)
		} else {
			err = c.bucket.Delete(c.key)
		}
		if err != nil {
			return fmt.Errorf("undo: %w", err)
		}
	}
	return nil
}

// begin starts the next update of the transaction.
func (tx *Tx) begin() {
	clear(tx.undo)
	tx.undo = tx.undo[:0]
	tx.marks = tx.pending.marks()
}

// bucket returns the bucket of a shape, nil if nothing was ever put in it. A read
// transaction remembers the last one: bbolt would open it anew each time.
func (tx *Tx) bucket(name []byte) *bolt.Bucket {
	if tx.write {
		return tx.b.Bucket(name)
	}
	if tx.last == nil || &tx.lastName[0] != &name[0] {
		tx.last, tx.lastName = tx.b.Bucket(name), name
	}
	return tx.last
}

// makeBucket returns the bucket of a shape, for a write.
func (tx *Tx) makeBucket(name []byte) (*bolt.Bucket, error) {
	if !tx.write {
		return nil, ErrReadOnly
	}
	if b := tx.b.Bucket(name); b != nil {
		return b, nil
	}
	return tx.b.CreateBucketIfNotExists(name)
}

// prefix returns owner and a NUL, in scratch: where the keys of owner begin in
// the bucket of a Map or a Log. No owner has a NUL, so no two overlap.
func (tx *Tx) prefix(owner string) []byte {
	tx.key = append(append(tx.key[:0], owner...), 0)
	return tx.key
}

// deletePrefix deletes every key that begins with prefix, and returns how many.
func (tx *Tx) deletePrefix(b *bolt.Bucket, prefix []byte) (n int, err error) {
	c := b.Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Seek(prefix) {
		if err := tx.delete(b, k); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// CheckOwner returns ErrKey if owner is empty, has a NUL, or is over MaxOwner
// bytes. Every JID that RFC 7622 allows passes.
func CheckOwner(owner string) error {
	if owner == "" || len(owner) > MaxOwner || strings.IndexByte(owner, 0) >= 0 {
		return fmt.Errorf("%w: owner of %d bytes", ErrKey, len(owner))
	}
	return nil
}

func checkValue(v []byte) error {
	if len(v) > MaxValue {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(v), MaxValue)
	}
	return nil
}

// arena keeps copies of small byte strings until it is reset. One chunk stays for
// the next transaction; what bbolt held of it is gone with the last one.
type arena struct{ first, free []byte }

const arenaChunk = 256 << 10

// copy returns a copy of v, not nil, that lives until reset.
func (a *arena) copy(v []byte) []byte {
	p := a.alloc(len(v))
	copy(p, v)
	return p
}

// alloc returns n bytes, not nil if none, that live until reset.
func (a *arena) alloc(n int) []byte {
	if n > arenaChunk/8 {
		return make([]byte, n)
	}
	if n > len(a.free) || a.free == nil {
		a.free = make([]byte, arenaChunk)
		if a.first == nil {
			a.first = a.free
		}
	}
	p := a.free[:n:n]
	a.free = a.free[n:]
	return p
}

func (a *arena) reset() { a.free = a.first }
