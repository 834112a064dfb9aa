package store

import bolt "go.etcd.io/bbolt"

// RemoveOwner removes all that owner has, in every shape and in the archive, also in those that
// this program no longer declares. It is what removing an account means.
func (s *Store) RemoveOwner(tx *Tx, owner string) error {
	if err := CheckOwner(owner); err != nil {
		return err
	}
	if !tx.write {
		return ErrReadOnly
	}
	names := [][]byte{}
	c := tx.b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		names = append(names, k)
	}
	for _, name := range names {
		if err := tx.removeFrom(tx.b.Bucket(name), name[0], owner); err != nil {
			return err
		}
	}
	return s.archive.Erase(tx, owner)
}

func (tx *Tx) removeFrom(b *bolt.Bucket, kind byte, owner string) (err error) {
	switch kind {
	case docKind:
		err = tx.delete(b, []byte(owner))
	case mapKind, logKind:
		_, err = tx.deletePrefix(b, tx.prefix(owner))
	}
	return err
}
