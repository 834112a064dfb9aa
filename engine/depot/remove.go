package depot

import (
	"errors"
	"io/fs"
	"os"
	"slices"
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

// batch is how many rows one update removes, so that others need not wait.
const batch = 250

// RemoveAll removes all files of an account, and returns what they were. It
// waits for the disk.
func (d *Depot) RemoveAll(owner string) (was Owner, err error) {
	was.JID = owner
	for {
		var ids []ID
		var u [2]usage // before and after
		err = d.store.UpdateWait(func(tx *store.Tx) (err error) {
			if u[0], err = readUsage(tx, owner); err != nil {
				return err
			}
			ids = IDs(tx, owner, batch)
			for _, id := range ids {
				if err := remove(tx, owner, id); err != nil {
					return err
				}
			}
			u[1], err = readUsage(tx, owner)
			return err
		})
		if err != nil || len(ids) == 0 {
			return was, err
		}
		was.Files += u[0].files - u[1].files
		was.Bytes += u[0].bytes - u[1].bytes
		removed.Add(offLoop, byOperator, uint64(len(ids)))
		if err := d.unlink(ids); err != nil {
			return was, err
		}
	}
}

// IDs returns up to n files of an account, the oldest.
func IDs(tx *store.Tx, owner string, n int) (ids []ID) {
	_ = rows.Each(tx, owner, func(key string, _ []byte) error {
		if len(ids) == n {
			return store.ErrStop
		}
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
	for part := range slices.Chunk(ids, batch) {
		err := d.store.UpdateWait(func(tx *store.Tx) error {
			for _, id := range part {
				if owner, _, err := find(tx, id); owner != "" || err != nil {
					continue
				}
				if err := owners.Delete(tx, id.String()); err != nil {
					return err
				}
			}
			return nil
		})
		if err = errors.Join(err, d.unlink(part)); err != nil {
			d.log.Warn("files of a removed account are left; they are removed later", "err", err)
			return
		}
		removed.Add(offLoop, byAccount, uint64(len(part)))
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
