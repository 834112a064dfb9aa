package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// wipe is an owner's rows up to a sequence number, or just that one, to be
// overwritten.
type wipe struct {
	owner string
	upTo  uint64
	one   bool
}

// Erase makes an end of all that owner has in the archive. Readers do not see it
// any more when the update commits; then it is overwritten in the files, as soon
// as the disk allows, also over a crash. Rows appended later are not concerned.
func (a *Archive) Erase(tx *Tx, owner string) error {
	if err := CheckOwner(owner); err != nil {
		return err
	}
	if !tx.write {
		return ErrReadOnly
	}
	upTo, err := a.lastOf(owner)
	if err != nil {
		return err
	}
	for _, r := range tx.pending.rows { // of updates before this one
		upTo = max(upTo, r.rows.last)
	}
	if upTo == 0 {
		return nil
	}
	b, err := tx.makeBucket(erasedBucket)
	if err != nil {
		return err
	}
	tx.pending.wipe = append(tx.pending.wipe, wipe{owner: owner, upTo: upTo})
	return tx.put(b, []byte(owner), binary.BigEndian.AppendUint64(nil, upTo))
}

// lastOf returns the sequence number of owner's last row, 0 if there is none.
func (a *Archive) lastOf(owner string) (last uint64, err error) {
	spans, err := a.spans(owner)
	for _, s := range spans {
		last = max(last, placeAt(s.b, s.len()-1).seq)
	}
	return last, err
}

// erasedUpTo returns up to where owner's rows have been erased and may not have
// been overwritten yet.
func (a *Archive) erasedUpTo(tx *Tx, owner string) uint64 {
	b := tx.bucket(erasedBucket)
	if b == nil {
		return 0
	}
	v := b.Get([]byte(owner))
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

// resumeErasing goes on with what a crash or a shutdown has interrupted.
func (a *Archive) resumeErasing(tx *bolt.Tx) error {
	if err := a.resumeBlanking(tx); err != nil {
		return err
	}
	b := tx.Bucket(erasedBucket)
	if b == nil {
		return nil
	}
	return b.ForEach(func(owner, v []byte) error {
		if len(v) == 8 {
			a.overwrite(wipe{owner: string(owner), upTo: binary.BigEndian.Uint64(v)})
		}
		return nil
	})
}

// overwrite has w done in the background, and then forgotten.
func (a *Archive) overwrite(w wipe) {
	a.jobs.add(func() {
		fn, done := a.wipe, a.erased
		if w.one {
			fn, done = a.blank, a.blanked
		}
		if err := fn(w); errors.Is(err, ErrClosed) {
			return // Open finds it again
		} else if err != nil {
			a.store.opt.Logger.Error("store: erased rows of the archive could not be overwritten, it is tried again at the next start", "error", err)
			return
		}
		a.stats.erased.Add(1)
		a.store.Update(func(tx *Tx) error { return done(tx, w) }, func(error) {}) // what fails is done again at the next Open
	})
}

// erased forgets that there is something to be overwritten.
func (a *Archive) erased(tx *Tx, w wipe) error {
	b := tx.bucket(erasedBucket)
	if b == nil || a.erasedUpTo(tx, w.owner) != w.upTo {
		return nil
	}
	return tx.delete(b, []byte(w.owner))
}

// wipe overwrites rows, then what the indexes say about them.
func (a *Archive) wipe(w wipe) error {
	spans, err := a.spans(w.owner)
	if err != nil {
		return err
	}
	written := map[*month]bool{}
	for _, s := range spans {
		if err := s.wipeRows(w.upTo, a.jobs.stop.Load); err != nil {
			return err
		}
		written[s.m] = true
	}
	for m := range written {
		if err := fdatasync(m.f); err != nil {
			return err
		}
	}
	for _, s := range spans {
		if s.run != nil {
			if err := s.run.wipe(w); err != nil {
				return err
			}
		}
	}
	a.forget(w)
	return nil
}

// wipeRows overwrites the rows of s up to a sequence number.
func (s *span) wipeRows(upTo uint64, stop func() bool) error {
	for i := range s.len() {
		e := placeAt(s.b, i)
		if stop() {
			return ErrClosed
		}
		if e.off == 0 || e.seq > upTo {
			continue
		}
		if err := s.m.wipeRow(e); err != nil {
			return fmt.Errorf("%s: %w", s.m.f.Name(), err)
		}
	}
	return nil
}

// wipeRow leaves of a row its length and its sequence number.
func (m *month) wipeRow(e place) error {
	var head [rowHeader]byte
	if _, err := m.f.ReadAt(head[:], e.off); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n < rowHeader || n > maxFrame || binary.LittleEndian.Uint64(head[8:]) != e.seq {
		return wrongRow(m.f.Name(), e)
	}
	row := make([]byte, n)
	binary.LittleEndian.PutUint64(row[8:], e.seq)
	seal(row)
	_, err := m.f.WriteAt(row, e.off)
	return err
}

// wipe overwrites the places of w's owner. Those that stay keep their place, so
// that the numbers of rows hold.
func (r *run) wipe(w wipe) error {
	f, err := os.OpenFile(r.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the month is over
	} else if err != nil {
		return err
	}
	defer f.Close()
	places, i, err := r.find(w.owner)
	if err != nil || len(places) == 0 {
		return err
	}
	_, _, at, err := r.group(i)
	if err != nil {
		return err
	}
	n := 0
	for n*placeSize < len(places) && placeAt(places, n).seq <= w.upTo {
		n++
	}
	blank := make([]byte, n*placeSize)
	for k := range n {
		binary.LittleEndian.PutUint64(blank[k*placeSize:], placeAt(places, k).seq)
	}
	if _, err := f.WriteAt(blank, int64(at)); err != nil {
		return err
	}
	return f.Sync()
}

// forget takes rows out of the indexes in memory.
func (a *Archive) forget(w wipe) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.months {
		for _, t := range []*tail{m.frozen, m.tail} {
			if t == nil || t.owners[w.owner] == nil {
				continue
			}
			s := span{b: t.owners[w.owner].b}
			s.trim(w.upTo)
			if len(s.b) == 0 {
				delete(t.owners, w.owner)
				continue
			}
			t.owners[w.owner] = &places{b: s.b}
		}
	}
}
