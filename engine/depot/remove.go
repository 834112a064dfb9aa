package depot

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"meerkat/store"
)

// Owner is what an account has here, places that wait for a file included.
type Owner struct {
	JID   string `json:"jid"`
	Files int64  `json:"files"`
	Bytes int64  `json:"bytes"`
}

// List returns up to n accounts with files that begin with prefix, in order,
// those after after only.
func (d *Depot) List(prefix, after string, n int) (list []Owner, err error) {
	err = d.store.View(func(tx *store.Tx) error {
		return usages.EachFrom(tx, max(prefix, after), func(owner string, b []byte) error {
			u, err := decodeUsage(b)
			switch {
			case err != nil:
				return err
			case len(list) == n || !strings.HasPrefix(owner, prefix):
				return store.ErrStop
			case owner != after && u.files > 0:
				list = append(list, Owner{owner, u.files, u.bytes})
			}
			return nil
		})
	})
	return list, err
}

// RemoveAll removes all files of an account, and returns what they were. It
// waits for the disk.
func (d *Depot) RemoveAll(owner string) (was Owner, err error) {
	var ids []ID
	err = d.store.UpdateWait(func(tx *store.Tx) error {
		u, err := readUsage(tx, owner)
		if err != nil {
			return err
		}
		was, ids = Owner{owner, u.files, u.bytes}, IDs(tx, owner)
		for _, id := range ids {
			if err := remove(tx, owner, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return was, err
	}
	removed.Add(offLoop, byOperator, uint64(len(ids)))
	return was, d.unlink(ids)
}

// IDs returns all files of an account.
func IDs(tx *store.Tx, owner string) (ids []ID) {
	_ = rows.Each(tx, owner, func(key string, _ []byte) error {
		if len(key) == len(ID{}) {
			ids = append(ids, ID([]byte(key)))
		}
		return nil
	})
	return ids
}

// Disown removes files of an account that has been removed. It waits for the
// disk. What it does not come to, the sweep does.
func (d *Depot) Disown(ids []ID) {
	err := d.store.UpdateWait(func(tx *store.Tx) error {
		for _, id := range ids {
			if owner, _, err := find(tx, id); owner != "" || err != nil {
				continue
			}
			if err := owners.Delete(tx, id.String()); err != nil {
				return err
			}
		}
		return nil
	})
	removed.Add(offLoop, byAccount, uint64(len(ids)))
	if err = errors.Join(err, d.unlink(ids)); err != nil {
		d.log.Warn("files of a removed account are left; they are removed later", "err", err)
	}
}

// unlink removes files, those that are there.
func (d *Depot) unlink(ids []ID) (err error) {
	for _, id := range ids {
		if e := os.Remove(d.path(id)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}
	return err
}
