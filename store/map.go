package store

import (
	"bytes"
	"fmt"
)

// Map is ordered keys with a value each, per owner. Declare it once with NewMap.
type Map struct{ name []byte }

// NewMap declares a Map. The name is its place in the file: it must be the only
// Map of that name and stay for ever.
func NewMap(name string) Map { return Map{bucketName(mapKind, name)} }

// Get returns the value of key, nil if there is none, not nil if it is empty;
// borrowed as in Doc.Get.
func (m Map) Get(tx *Tx, owner, key string) []byte {
	b := tx.bucket(m.name)
	if b == nil {
		return nil
	}
	return b.Get(tx.pair(owner, key))
}

// Put sets the value of key to v, copied. A key is 1 to MaxKey bytes of any kind.
func (m Map) Put(tx *Tx, owner, key string, v []byte) error {
	if err := checkOwnerValue(owner, v); err != nil {
		return err
	}
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("%w: key of %d bytes", ErrKey, len(key))
	}
	b, err := tx.makeBucket(m.name)
	if err != nil {
		return err
	}
	return tx.put(b, tx.pair(owner, key), v)
}

// Delete removes key if it is there.
func (m Map) Delete(tx *Tx, owner, key string) error {
	if !tx.write {
		return ErrReadOnly
	}
	b := tx.bucket(m.name)
	if b == nil {
		return nil
	}
	return tx.delete(b, tx.pair(owner, key))
}

// DeleteAll removes all keys of owner.
func (m Map) DeleteAll(tx *Tx, owner string) error {
	if !tx.write {
		return ErrReadOnly
	}
	b := tx.bucket(m.name)
	if b == nil {
		return nil
	}
	_, err := tx.deletePrefix(b, tx.prefix(owner))
	return err
}

// Len returns the number of keys of owner. It walks them.
func (m Map) Len(tx *Tx, owner string) (n int) {
	_ = m.Each(tx, owner, func(string, []byte) error { n++; return nil })
	return n
}

// Each calls fn for every key of owner, in order of bytes. fn borrows v until
// it returns, and must not write to m. An error of fn ends it; ErrStop without
// error.
func (m Map) Each(tx *Tx, owner string, fn func(key string, v []byte) error) error {
	return m.EachFrom(tx, owner, "", fn)
}

// EachFrom is Each for the keys that are not before from.
func (m Map) EachFrom(tx *Tx, owner, from string, fn func(key string, v []byte) error) error {
	b := tx.bucket(m.name)
	if b == nil {
		return nil
	}
	seek := []byte(owner + "\x00" + from)
	prefix := seek[:len(owner)+1]
	c := b.Cursor()
	for k, v := c.Seek(seek); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if err := fn(string(k[len(prefix):]), v); err != nil {
			return stopped(err)
		}
	}
	return nil
}

// Owners calls fn for every owner that has a key and is not before from, in
// order of bytes.
func (m Map) Owners(tx *Tx, from string, fn func(owner string) error) error {
	b := tx.bucket(m.name)
	if b == nil {
		return nil
	}
	return owners(b, from, fn)
}

// pair returns the stored key of owner's key, in scratch.
func (tx *Tx) pair(owner, key string) []byte {
	tx.key = append(tx.prefix(owner), key...)
	return tx.key
}

// cutKey takes a stored key apart into owner and key.
func cutKey(k []byte) (owner, key []byte) {
	owner, key, _ = bytes.Cut(k, []byte{0})
	return owner, key
}
