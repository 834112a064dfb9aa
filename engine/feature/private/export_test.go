package private

import "meerkat/store"

// Leave stores an element as all were stored once.
func Leave(tx *store.Tx, owner, key, v string) error { return items.Put(tx, owner, key, []byte(v)) }
