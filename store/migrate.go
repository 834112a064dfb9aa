package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// The bucket "meta" says what the file is. No shape's bucket has that name.
var (
	metaBucket = []byte("meta")
	formatKey  = []byte("format")
	versionKey = []byte("version")
	format     = []byte("meerkat")
)

// migration brings a file from one version to the next. It runs in a transaction
// of its own, together with the change of the version.
type migration func(tx *bolt.Tx) error

// migrations[i] brings version i to i+1, so a file that is up to date has
// version len(migrations). Steps are never changed or removed once released.
var migrations = []migration{
	func(*bolt.Tx) error { return nil }, // 0: an empty file
}

// migrate brings db to version len(steps).
func migrate(db *bolt.DB, steps []migration) error {
	v, err := readVersion(db)
	if err != nil {
		return err
	}
	if v > len(steps) {
		return fmt.Errorf("%w: the file has version %d, this program knows %d", ErrVersion, v, len(steps))
	}
	for ; v < len(steps); v++ {
		err := db.Update(func(tx *bolt.Tx) error {
			if err := steps[v](tx); err != nil {
				return err
			}
			return putVersion(tx, v+1)
		})
		if err != nil {
			return fmt.Errorf("migrate from version %d to %d: %w", v, v+1, err)
		}
	}
	return nil
}

// readVersion returns the version of a file that says it is ours.
func readVersion(db *bolt.DB) (v int, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(metaBucket)
		if b == nil || string(b.Get(formatKey)) != string(format) {
			return errors.New("not a store of this program")
		}
		raw := b.Get(versionKey)
		if len(raw) != 4 {
			return fmt.Errorf("%w: no version", ErrDamaged)
		}
		v = int(binary.BigEndian.Uint32(raw))
		return nil
	})
	return v, err
}

func writeVersion(db *bolt.DB, v int) error {
	return db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(metaBucket)
		if err != nil {
			return err
		}
		if err := b.Put(formatKey, format); err != nil {
			return err
		}
		return putVersion(tx, v)
	})
}

func putVersion(tx *bolt.Tx, v int) error {
	return tx.Bucket(metaBucket).Put(versionKey, binary.BigEndian.AppendUint32(nil, uint32(v)))
}
