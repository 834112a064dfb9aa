package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// maxBatchBytes ends a batch early, so that large values do not make one commit
// hold up everybody behind it.
const maxBatchBytes = 16 << 20

// update is one call of Update on its way.
type update struct {
	fn   func(*Tx) error
	done func(error)
	err  error
}

// queue is where callers leave updates and the writer takes them, all at once.
type queue struct {
	mu      sync.Mutex
	wake    sync.Cond
	waiting []update
	spare   []update // the slice the writer has emptied
	length  int      // updates whose done has not been called
	max     int
	closed  bool
}

// add reports ErrBusy or ErrClosed.
func (q *queue) add(u update) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	if q.length >= q.max {
		return ErrBusy
	}
	q.length++
	q.waiting = append(q.waiting, u)
	if len(q.waiting) == 1 {
		q.wake.Signal()
	}
	return nil
}

// take waits for updates and returns all there are, nil when closed and empty.
func (q *queue) take() []update {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.closed {
		q.wake.Wait()
	}
	all := q.waiting
	q.waiting, q.spare = q.spare[:0], nil
	if len(all) == 0 {
		return nil
	}
	return all
}

// finished counts n updates off. The writer gives all back when it has run out.
func (q *queue) finished(n int) {
	q.mu.Lock()
	q.length -= n
	q.mu.Unlock()
}

// giveBack returns the slice of take for reuse, unless a burst made it large.
func (q *queue) giveBack(all []update) {
	clear(all)
	if cap(all) > 4096 {
		return
	}
	q.mu.Lock()
	q.spare = all[:0]
	q.mu.Unlock()
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.wake.Signal()
	q.mu.Unlock()
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.length
}

// Update queues fn for the writer and returns at once. The writer runs the fns
// that wait in one transaction, syncs it to disk, and then calls each done, in
// the order of the calls of Update, on its own goroutine: done must not block,
// it hands the result on. An error of fn undoes what fn wrote, and only that,
// and is what its done gets.
//
// fn runs at most once, on the writer's goroutine: it must touch nothing but tx
// and what only it and done know, and must be short, as all writes wait for it.
//
// When the queue is full or the store closed, done gets ErrBusy or ErrClosed
// before Update returns, on the caller's goroutine.
func (s *Store) Update(fn func(tx *Tx) error, done func(error)) {
	if err := s.queue.add(update{fn: fn, done: done}); err != nil {
		s.stats.refused.Add(1)
		done(err)
	}
}

// write is the writer: it takes, commits and answers until the queue is closed.
func (s *Store) write() {
	defer close(s.ended)
	setPanicOnFault(true)
	tx := &Tx{write: true}
	for all := s.queue.take(); all != nil; all = s.queue.take() {
		for rest := all; len(rest) > 0; {
			n := s.batch(tx, rest[:min(len(rest), s.opt.MaxBatch)])
			s.answer(rest[:n])
			rest = rest[n:]
		}
		s.queue.giveBack(all)
	}
}

// batch runs and commits updates from the front of us, sets the error of each,
// and returns how many they were.
func (s *Store) batch(tx *Tx, us []update) int {
	if err := s.failed.Load(); err != nil {
		fail(us, *err)
		return len(us)
	}
	start := time.Now()
	n, err := s.commit(tx, us, start)
	if err != nil {
		n = max(n, 1)
		s.stats.commitErrors.Add(1)
		s.complain(err)
		fail(us[:n], err)
	}
	s.stats.commit(n, tx.size, time.Since(start))
	return n
}

// commit is one transaction of as many of us as fit. Its error is one of all.
func (s *Store) commit(tx *Tx, us []update, now time.Time) (n int, err error) {
	defer func() {
		if p := recover(); p != nil { // in bbolt: those of fn are caught in call
			s.stats.damaged.Add(1)
			err = fmt.Errorf("store: write %s: %w: %v", s.path, ErrDamaged, p)
			err = s.halt(errors.Join(err, s.journal.takeBack(), s.archive.takeBack()))
		}
	}()
	b, err := s.db.Begin(true)
	if err != nil {
		return len(us), s.commitError(err)
	}
	id := b.ID()
	tx.b, tx.now, tx.size, tx.dirty = b, uint64(now.UnixNano()), 0, false
	defer s.end(tx, b)
	for n < len(us) && tx.size < maxBatchBytes {
		if us[n].err, err = s.run(tx, us[n].fn); err != nil {
			return n + 1, err
		}
		n++
	}
	return n, s.sync(tx, b, id, now)
}

// sync puts on disk what the updates have put: first the archive's rows and the
// journal's records, which can be taken back.
func (s *Store) sync(tx *Tx, b *bolt.Tx, id int, now time.Time) error {
	if err := s.archive.write(&tx.pending, now); err != nil {
		return s.halt(s.archiveError(err))
	}
	if err := s.journal.write(tx.pending.records); err != nil {
		return s.halt(errors.Join(writeError(s.journal.dir, err), s.archive.takeBack()))
	}
	if tx.dirty {
		if err := b.Commit(); err != nil {
			return s.halt(errors.Join(s.commitFailed(id, s.commitError(err)), s.journal.takeBack(), s.archive.takeBack()))
		}
	}
	s.archive.publish()
	s.journal.publish()
	for _, w := range tx.pending.wipe {
		s.archive.overwrite(w)
	}
	return nil
}

// halt ends all writing if err says that what is on disk is not known.
func (s *Store) halt(err error) error {
	if errors.Is(err, ErrUncertain) {
		s.failed.Store(&err)
	}
	return err
}

// end closes the transaction if commit did not, and lets go of its memory.
func (s *Store) end(tx *Tx, b *bolt.Tx) {
	_ = b.Rollback() // an error means that it is over, which is the point
	tx.pending.cut(marks{})
	tx.begin()
	tx.release()
	tx.kept.reset()
}

// commitFailed tells whether the failed commit, transaction id, can be seen all
// the same: its meta page was written, but not known to be synced.
func (s *Store) commitFailed(id int, cause error) error {
	b, err := s.db.Begin(false)
	if err != nil {
		return cause
	}
	defer b.Rollback()
	if b.ID() != id {
		return cause
	}
	return s.halt(fmt.Errorf("%w: %w", ErrUncertain, cause))
}

// run runs one update and undoes it if it fails. fatal means that the undoing
// failed too, and with it the transaction.
func (s *Store) run(tx *Tx, fn func(*Tx) error) (err, fatal error) {
	tx.begin()
	if err = s.call(tx, fn); err == nil {
		return nil, nil
	}
	s.stats.failed.Add(1)
	if fatal = tx.rollback(); fatal != nil {
		fatal = fmt.Errorf("store: write %s: %w", s.path, fatal)
	}
	return err, fatal
}

// call turns a panic of fn into an error: it is a broken page, or our bug, but
// not everybody's end.
func (s *Store) call(tx *Tx, fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.panicked(p)
		}
	}()
	return fn(tx)
}

func (s *Store) panicked(p any) error {
	if fromPage(p) {
		return s.damage(p)
	}
	s.stats.panics.Add(1)
	s.opt.Logger.Error("store: an update or its done panicked", "panic", p, "stack", string(debug.Stack()))
	return fmt.Errorf("store: an update panicked: %v", p)
}

// answer calls done for each of us, in order.
func (s *Store) answer(us []update) {
	for i := range us {
		s.tell(&us[i])
	}
	s.queue.finished(len(us))
}

// tell calls done. If that panics, the others are told all the same.
func (s *Store) tell(u *update) {
	defer func() {
		if p := recover(); p != nil {
			_ = s.panicked(p)
		}
	}()
	u.done(u.err)
}

// fail gives err to those of us that have no error of their own.
func fail(us []update, err error) {
	for i := range us {
		if us[i].err == nil {
			us[i].err = err
		}
	}
}
