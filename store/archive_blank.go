package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"

	bolt "go.etcd.io/bbolt"
)

var blankedBucket = []byte("blanked") // owner, NUL, sequence number: to be blanked

// Blank takes the value from one of owner's rows, which keeps its number. The
// file is overwritten when the update has committed, as soon as the disk allows,
// also over a crash; until then readers see the value, afterwards nil. A row that
// is not there is none.
func (a *Archive) Blank(tx *Tx, owner string, seq uint64) error {
	if err := CheckOwner(owner); err != nil {
		return err
	}
	if !tx.write {
		return ErrReadOnly
	}
	b, err := tx.makeBucket(blankedBucket)
	if err != nil {
		return err
	}
	tx.pending.wipe = append(tx.pending.wipe, wipe{owner, seq, true})
	return tx.put(b, blankKey(owner, seq), nil)
}

func blankKey(owner string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(owner), 0), seq)
}

// resumeBlanking goes on with what a crash or a shutdown has interrupted.
func (a *Archive) resumeBlanking(tx *bolt.Tx) error {
	b := tx.Bucket(blankedBucket)
	if b == nil {
		return nil
	}
	return b.ForEach(func(k, _ []byte) error {
		if n := len(k) - 9; n > 0 {
			a.overwrite(wipe{string(k[:n]), binary.BigEndian.Uint64(k[n+1:]), true})
		}
		return nil
	})
}

// blanked forgets that there is something to be blanked.
func (a *Archive) blanked(tx *Tx, w wipe) error {
	b := tx.bucket(blankedBucket)
	if b == nil {
		return nil
	}
	return tx.delete(b, blankKey(w.owner, w.upTo))
}

// blank overwrites the value of one row.
func (a *Archive) blank(w wipe) error {
	spans, err := a.spans(w.owner)
	if err != nil {
		return err
	}
	for _, s := range spans {
		i := sort.Search(s.len(), func(i int) bool { return placeAt(s.b, i).seq >= w.upTo })
		if i == s.len() || placeAt(s.b, i).seq != w.upTo || placeAt(s.b, i).off == 0 {
			continue
		}
		if err := s.m.blankRow(placeAt(s.b, i)); err != nil {
			return fmt.Errorf("%s: %w", s.m.f.Name(), err)
		}
		if err := fdatasync(s.m.f); err != nil {
			return err
		}
	}
	return nil
}

// blankRow leaves of a row all but its value.
func (m *month) blankRow(e place) error {
	var head [rowHeader]byte
	if _, err := m.f.ReadAt(head[:], e.off); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	n, owner := binary.LittleEndian.Uint32(head[:]), int(binary.LittleEndian.Uint16(head[20:]))
	if n < rowHeader || n > maxFrame || int(n) <= rowHeader+owner || binary.LittleEndian.Uint64(head[8:]) != e.seq {
		return wrongRow(m.f.Name(), e)
	}
	row := make([]byte, n)
	if _, err := m.f.ReadAt(row, e.off); err != nil {
		return err
	}
	clear(row[rowHeader+owner:])
	row[rowHeader+owner] = packedBlank
	seal(row)
	_, err := m.f.WriteAt(row, e.off)
	return err
}
