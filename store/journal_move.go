package store

import (
	"bytes"
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
type forgotten map[subject]uint64

func (f forgotten) note(r record) error {
	if r.kind == recordPut {
		return nil
	}
	s := subjectOf(r)
	if upTo, ok := f[s]; !ok || reached(upTo, r.n) {
		f[s] = r.n
	}
	return nil
}

// remains returns the records of segments that say something still: values that
// have not been forgotten by any of these and later ones, and the last that each
// subject was forgotten up to. They are in the order of main.db.
func remains(segments, later []*segment) (list []record, err error) {
	upTo := forgotten{}
	for _, g := range slices.Concat(segments, later) {
		err = errors.Join(err, g.each(upTo.note))
	}
	for _, g := range segments {
		err = errors.Join(err, g.each(func(r record) error {
			last, ok := upTo[subjectOf(r)]
			if !ok || r.kind == recordPut && !reached(r.n, last) || r.kind != recordPut && r.n == last {
				list = append(list, r)
			}
			return nil
		}))
	}
	slices.SortStableFunc(list, compareRecords)
	return list, err
}

func compareRecords(x, y record) int {
	if c := bytes.Compare(x.tag, y.tag); c != 0 {
		return c
	}
	if c := bytes.Compare(x.owner, y.owner); c != 0 {
		return c
	}
	switch {
	case x.id != y.id:
		return compareNumbers(x.id, y.id)
	case x.kind != y.kind:
		return int(x.kind) - int(y.kind)
	}
	return compareNumbers(x.n, y.n)
}

func compareNumbers(x, y uint64) int {
	if x < y {
		return -1
	}
	return 1
}

// move puts records into main.db.
func move(tx *Tx, list []record) error {
	for i := range list {
		r := &list[i]
		q, err := r.queue()
		if err != nil {
			return err
		}
		owner := string(r.owner)
		switch alive := q.alive(tx, owner, r.id); {
		case !alive:
			continue
		case r.kind == recordPut:
			err = q.Keep(tx, owner, r.id, r.n, r.value)
		case r.kind == recordForget:
			err = q.trim(tx, owner, r.id, r.n)
		case r.kind == recordCount:
			err = q.KeepCount(tx, owner, r.id, r.n)
		default:
			err = damaged("a record of kind %d", r.kind)
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
	paths := slices.Clone(j.full[:min(2, len(j.full))])
	j.mu.Unlock()
	if len(paths) < 2 {
		return
	}
	err := withSegments(paths, func(all []*segment) error {
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
		return nil
	})
	switch {
	case errors.Is(err, ErrClosed):
		return // close does it
	case err != nil: // it stays, and is tried again with the next one
		j.store.opt.Logger.Error("store: the journal cannot be moved to main.db", "error", err)
		return
	}
	j.moved(paths[0])
}

// update moves a batch, once the writer has room for it.
func (j *journal) update(batch []record) (err error) {
	for err = ErrBusy; errors.Is(err, ErrBusy) && !j.jobs.stop.Load(); {
		if err = j.store.UpdateWait(func(tx *Tx) error { return move(tx, batch) }); errors.Is(err, ErrBusy) {
			time.Sleep(10 * time.Millisecond)
		}
	}
	return err
}

// moved keeps the file of a segment that is in main.db for use again.
func (j *journal) moved(path string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.full = slices.DeleteFunc(j.full, func(p string) bool { return p == path })
	var err error
	if spare := path + ".spare"; len(j.spares) >= maxSpares {
		err = os.Remove(path)
	} else if err = os.Rename(path, spare); err == nil {
		j.spares = append(j.spares, spare)
	}
	if err != nil {
		j.store.opt.Logger.Warn("store: a segment of the journal", "error", err)
	}
	if len(j.full) > 1 {
		j.jobs.add(j.moveFirst)
	}
}

// moveAll moves segments, while there is no writer, and removes their files.
func (j *journal) moveAll(paths []string) error {
	err := withSegments(paths, func(all []*segment) error {
		list, err := remains(all, nil)
		if err != nil {
			return err
		}
		for _, batch := range batches(list) {
			if err := j.store.db.Update(func(b *bolt.Tx) error { return move(&Tx{b: b, write: true}, batch) }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// withSegments calls fn with the segments of paths.
func withSegments(paths []string, fn func(all []*segment) error) (err error) {
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
	for _, path := range paths {
		g, err := openSegment(path)
		if err != nil {
			return err
		}
		all = append(all, g)
	}
	return fn(all)
}
