package account

import (
	"encoding/binary"
	"time"

	"meerkat/store"
)

// Directory is the list of accounts there are. Its methods run inside a
// transaction, on any goroutine. A bare JID is an account if it is listed here,
// wherever its password lives.
type Directory struct {
	list store.Doc
}

// NewDirectory declares the list in the store.
func NewDirectory() *Directory { return &Directory{list: store.NewDoc("accounts")} }

// Exists reports whether bare is an account.
func (d *Directory) Exists(tx *store.Tx, bare string) bool {
	return d.list.Get(tx, bare) != nil
}

// Add lists bare; it reports false if it was listed before.
func (d *Directory) Add(tx *store.Tx, bare string, now time.Time) (bool, error) {
	if d.Exists(tx, bare) {
		return false, nil
	}
	return true, d.list.Put(tx, bare, binary.BigEndian.AppendUint64([]byte{1}, uint64(now.Unix())))
}

// Created returns when bare was added; the zero time if it is not listed.
func (d *Directory) Created(tx *store.Tx, bare string) time.Time {
	v := d.list.Get(tx, bare)
	if len(v) < 9 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(v[1:])), 0)
}

// Remove forgets bare. What hangs on it is removed by whoever calls.
func (d *Directory) Remove(tx *store.Tx, bare string) error { return d.list.Delete(tx, bare) }

// Each calls fn for every account in order.
func (d *Directory) Each(tx *store.Tx, fn func(bare string) error) error {
	return d.list.Each(tx, func(owner string, _ []byte) error { return fn(owner) })
}
