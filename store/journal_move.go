package store

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
)

// moveBatch is how many values and counts go to main.db in one update, at most
// moveBytes of them: updates of others wait for it.
const (
	moveBatch = 1000
	moveBytes = 1 << 20
)

var moveSeed = maphash.MakeSeed()

// subject is what records are about: tag, owner and id.
type subject struct{ tag, owner, id uint64 }

func subjectOf(r record) subject {
	return subject{maphash.Bytes(moveSeed, r.tag), maphash.Bytes(moveSeed, r.owner), r.id}
}

// forgotten is up to where the values of each subject are not needed any more.
type forgotten map[subject]limits

// limits are the last numbers that Forget and Count were told of a subject, of
// either the last of all.
type limits struct {
	upTo, count     uint64
	forgot, counted bool
}

func (f forgotten) note(r record) error {
	s := subjectOf(r)
	l := f[s]
	if !l.forgot || reached(l.upTo, r.n) {
		l.upTo, l.forgot = r.n, true
	}
	if r.kind == recordCount && (!l.counted || reached(l.count, r.n)) {
		l.count, l.counted = r.n, true
	}
	f[s] = l
	return nil
}

// says reports whether r is still to be heeded, by what all of fs know.
func says(fs []forgotten, r record) bool {
	s := subjectOf(r)
	for _, f := range fs {
		switch l := f[s]; {
		case r.kind == recordPut && l.forgot && reached(r.n, l.upTo),
			r.kind == recordForget && l.forgot && r.n != l.upTo && reached(r.n, l.upTo),
			r.kind == recordCount && l.counted && r.n != l.count && reached(r.n, l.count):
			return false
		}
	}
	return true
}

// remains returns the records of segments that say something still: values that
// have not been forgotten by any of these and later ones, and the last that each
// subject was forgotten and counted up to. They are in the order of main.db.
func remains(segments, later []*segment) (list []record, err error) {
	var fs []forgotten
	for _, g := range slices.Concat(segments, later) {
		err = errors.Join(err, g.note())
		fs = append(fs, g.noted)
	}
	for _, g := range segments {
		err = errors.Join(err, g.each(true, func(r record) error {
			if says(fs, r) {
				list = append(list, r)
			}
			return nil
		}))
	}
	slices.SortStableFunc(list, compareRecords)
	return list, err
}

// note finds out what g has forgotten, once.
func (g *segment) note() error {
	if g.noted != nil {
		return nil
	}
	g.noted = forgotten{}
	return g.each(false, g.noted.note)
}

func compareRecords(x, y record) int {
	return cmp.Or(bytes.Compare(x.tag, y.tag), bytes.Compare(x.owner, y.owner), cmp.Compare(x.id, y.id),
		cmp.Compare(x.kind, y.kind), cmp.Compare(x.n, y.n))
}

// move puts records into main.db. They may have been put there already, and
// main.db may know more than they do.
func move(tx *Tx, list []record) error {
	for i := range list {
		r := &list[i]
		q, err := r.queue()
		if err != nil {
			return err
		}
		owner := string(r.owner)
		if !q.alive(tx, owner, r.id) {
			continue
		}
		switch counted, ok := q.Counted(tx, owner, r.id); {
		case r.kind == recordForget:
			err = q.trim(tx, owner, r.id, r.n)
		case ok && reached(r.n, counted): // KeepCount was told of it, or of a later one
		case r.kind == recordPut:
			err = q.Keep(tx, owner, r.id, r.n, r.value)
		default:
			err = q.KeepCount(tx, owner, r.id, r.n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// batches cuts a list of records into what goes into one update each.
func batches(list []record) (all [][]record) {
	for len(list) > 0 {
		n, size := 0, 0
		for n < len(list) && n < moveBatch && size < moveBytes {
			size += len(list[n].value)
			n++
		}
		all, list = append(all, list[:n]), list[n:]
	}
	return all
}

// moveFirst moves the oldest full segment, in the background, and has its file
// used again.
func (j *journal) moveFirst() {
	j.mu.Lock()
	full := slices.Clone(j.full[:min(2, len(j.full))])
	j.mu.Unlock()
	if len(full) < 2 {
		return
	}
	err := withSegments(full, func(all []*segment) error {
		if j.aheadOf == full[0].path { // it was the second one before
			all[0].noted = j.ahead
		}
		list, err := remains(all[:1], all[1:])
		if err != nil {
			return err
		}
		for _, batch := range batches(list) {
			if err := j.update(batch); err != nil {
				return err
			}
		}
		j.stats.moved.Add(uint64(len(list)))
		j.ahead, j.aheadOf = all[1].noted, full[1].path
		return nil
	})
	switch {
	case err == nil:
		err = j.retire(full[0].path)
	case errors.Is(err, ErrClosed):
		return // close does it
	}
	if err != nil { // it stays, and is tried again with the next one
		j.store.opt.Logger.Error("store: the journal cannot be moved to main.db", "error", err)
	}
}

// update moves a batch, once the writer has room for it.
func (j *journal) update(batch []record) error {
	for !j.jobs.stop.Load() {
		err := j.store.UpdateWait(func(tx *Tx) error { return move(tx, batch) })
		if !errors.Is(err, ErrBusy) {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return ErrClosed
}

// retire keeps the file of a segment that is in main.db for use again.
func (j *journal) retire(path string) error {
	spare := path + spareSuffix
	j.mu.Lock()
	enough := len(j.spares) >= maxSpares
	j.mu.Unlock()
	err := error(nil)
	if enough {
		spare, err = "", os.Remove(path)
	} else {
		err = os.Rename(path, spare)
	}
	if err == nil {
		err = syncDir(j.dir) // so that it is not moved again after others that came later
	}
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.full = j.full[1:]; spare != "" {
		j.spares = append(j.spares, spare)
	}
	if len(j.full) > 1 {
		j.jobs.add(j.moveFirst)
	}
	return nil
}

// moveAll moves segments, while there is no writer, and removes their files.
func (j *journal) moveAll(all []sealed) error {
	err := withSegments(all, func(all []*segment) error {
		list, err := remains(all, nil)
		if err != nil {
			return err
		}
		for _, batch := range batches(list) {
			if err := j.store.db.Update(func(b *bolt.Tx) error { return move(&Tx{b: b, write: true}, batch) }); err != nil {
				return fmt.Errorf("%s: %w", j.store.path, err)
			}
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		return err
	}
	for _, s := range all {
		err = errors.Join(err, os.Remove(s.path))
	}
	return errors.Join(err, syncDir(j.dir))
}

// withSegments calls fn with segments.
func withSegments(list []sealed, fn func(all []*segment) error) (err error) {
	defer setPanicOnFault(setPanicOnFault(true))
	var all []*segment
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read a segment of the journal: %w: %v", ErrDamaged, p)
		}
		for _, g := range all {
			err = errors.Join(err, g.close())
		}
	}()
	for _, s := range list {
		g, err := openSegment(s)
		if err != nil {
			return err
		}
		all = append(all, g)
	}
	return fn(all)
}
