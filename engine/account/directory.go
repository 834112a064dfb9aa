package account

import (
	"encoding/binary"
	"time"

	"meerkat/store"
)

// list has a row for each account: version 1, seconds since 1970.
var list = store.NewDoc("accounts")

// Exists reports whether bare is an account: listed here, wherever its password
// lives. The functions of the list run inside a transaction, on any goroutine.
func Exists(tx *store.Tx, bare string) bool {
	return list.Get(tx, bare) != nil
}

// Enlist lists bare; it reports false if it was listed before.
func Enlist(tx *store.Tx, bare string, now time.Time) (bool, error) {
	if Exists(tx, bare) {
		return false, nil
	}
	return true, list.Put(tx, bare, binary.BigEndian.AppendUint64([]byte{1}, uint64(now.Unix())))
}

// Created returns when bare was added; the zero time if it is not listed.
func Created(tx *store.Tx, bare string) time.Time {
	v := list.Get(tx, bare)
	if len(v) < 9 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(v[1:])), 0)
}

// Delist forgets bare. What hangs on it is removed by whoever calls.
func Delist(tx *store.Tx, bare string) error { return list.Delete(tx, bare) }

// EachListed calls fn for every account in order.
func EachListed(tx *store.Tx, fn func(bare string) error) error {
	return list.Each(tx, func(owner string, _ []byte) error { return fn(owner) })
}
