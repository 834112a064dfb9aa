package store

import (
	bolt "go.etcd.io/bbolt"
)

// The first byte of a bucket's name says which shape it holds, so that
// RemoveOwner can go through a file without knowing who declared what.
const (
	docKind = 'd'
	mapKind = 'm'
	logKind = 'l'
)

func bucketName(kind byte, name string) []byte {
	return append([]byte{kind, ' '}, name...)
}

// Doc is one value per owner. Declare it once with NewDoc.
type Doc struct{ name []byte }

// NewDoc declares a Doc. The name is its place in the file: it must be the only
// Doc of that name and stay for ever.
func NewDoc(name string) Doc { return Doc{bucketName(docKind, name)} }

// Get returns the value of owner, nil if there is none, not nil if it is empty.
// It is borrowed until the function that tx was handed to returns, and must not
// be changed: it may lie in the mapped file.
func (d Doc) Get(tx *Tx, owner string) []byte {
	b := tx.bucket(d.name)
	if b == nil || owner == "" {
		return nil
	}
	tx.key = append(tx.key[:0], owner...)
	return b.Get(tx.key)
}

// Put sets the value of owner to v, copied.
func (d Doc) Put(tx *Tx, owner string, v []byte) error {
	if err := checkOwnerValue(owner, v); err != nil {
		return err
	}
	b, err := tx.makeBucket(d.name)
	if err != nil {
		return err
	}
	tx.key = append(tx.key[:0], owner...)
	return tx.put(b, tx.key, v)
}

// Delete removes the value of owner if there is one.
func (d Doc) Delete(tx *Tx, owner string) error {
	if !tx.write {
		return ErrReadOnly
	}
	b := tx.bucket(d.name)
	if b == nil || owner == "" {
		return nil
	}
	tx.key = append(tx.key[:0], owner...)
	return tx.delete(b, tx.key)
}

// Each calls fn for every owner, in order of bytes. fn borrows v until it
// returns, and must not write to d. An error of fn ends it; ErrStop without error.
func (d Doc) Each(tx *Tx, fn func(owner string, v []byte) error) error {
	return d.EachFrom(tx, "", fn)
}

// EachFrom is Each for the owners that are not before from: the way to go
// through many owners a page at a time, a View each.
func (d Doc) EachFrom(tx *Tx, from string, fn func(owner string, v []byte) error) error {
	b := tx.bucket(d.name)
	if b == nil {
		return nil
	}
	c := b.Cursor()
	for k, v := c.Seek([]byte(from)); k != nil; k, v = c.Next() {
		if err := fn(string(k), v); err != nil {
			return stopped(err)
		}
	}
	return nil
}

func checkOwnerValue(owner string, v []byte) error {
	if err := CheckOwner(owner); err != nil {
		return err
	}
	return checkValue(v)
}

// owners calls fn for each owner of a bucket whose keys are owner, NUL, key,
// from the first that is not before from.
func owners(b *bolt.Bucket, from string, fn func(owner string) error) error {
	c := b.Cursor()
	seek := []byte(from)
	for {
		k, _ := c.Seek(seek)
		if k == nil {
			return nil
		}
		owner, _ := cutKey(k)
		if err := fn(string(owner)); err != nil {
			return stopped(err)
		}
		seek = append(append(seek[:0], owner...), 1) // after the NUL of owner
	}
}
