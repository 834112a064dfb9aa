package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// Archive is rows in order of time per owner, without end: the history of
// accounts and rooms. It is apart from main.db, made for appending at the speed
// of the disk and for forgetting a month at once. Files in the directory log:
//
//	2026-01.log            rows of all owners in the order of their commit
//	2026-01.F-T.idx        where the rows of each owner are, for bytes F to T
//	2026-01.POOL.log       rows with another retention
//
// A row is appended by an Update, like everything else, and is on disk when its
// done runs; then readers see it. Rows of one owner must come with growing
// sequence numbers; a Clock makes them, and they are times too.
//
// An index file is sorted by owner, never appended to, and merged with its
// neighbours when there are many. What is not indexed yet, at most some 100,000
// rows, is in memory, and is read from the log again at Open. Index files can be
// removed while the store is closed: Open makes what is missing.
type Archive struct {
	dir   string
	store *Store
	names cipher.Block
	check bool          // nothing may be changed: for Check
	last  atomic.Uint64 // greatest sequence number committed

	mu     sync.RWMutex // guards months and what is in them but size and staged
	months []*month     // by name, so that the last of a pool is its newest
	jobs   jobs

	stats archiveCounters
}

// Archive returns the store's archive.
func (s *Store) Archive() *Archive { return s.archive }

var (
	namesKey     = []byte("archive key")
	erasedBucket = []byte("erased") // owner: last sequence number to be wiped
)

// openArchive opens all months and reads what their indexes do not cover.
func (s *Store) openArchive() error {
	a := &Archive{dir: s.LogDir(), store: s}
	a.jobs.log, a.jobs.idle.L = s.opt.Logger, &a.jobs.mu
	if err := a.loadNames(s.db); err != nil {
		return fmt.Errorf("store: open %s: %w", s.path, err)
	}
	if err := a.openMonths(); err != nil {
		return fmt.Errorf("store: open %w", err)
	}
	s.archive = a
	for _, m := range a.months {
		a.tend(m)
	}
	return s.db.View(func(tx *bolt.Tx) error { return a.resumeErasing(tx) })
}

// loadNames loads the key that makes sequence numbers into names, made when
// there is none.
func (a *Archive) loadNames(db *bolt.DB) error {
	var key []byte
	err := db.View(func(tx *bolt.Tx) error {
		key = append(key, tx.Bucket(metaBucket).Get(namesKey)...)
		return nil
	})
	if err == nil && len(key) != 16 {
		key = make([]byte, 16)
		rand.Read(key) // never fails
		err = db.Update(func(tx *bolt.Tx) error { return tx.Bucket(metaBucket).Put(namesKey, key) })
	}
	if err == nil {
		a.names, err = aes.NewCipher(key)
	}
	return err
}

// close ends the work in the background. Readers may go on: what they use goes
// with the last of them.
func (a *Archive) close() { a.jobs.close() }

// discard removes a file that a crash has left.
func (a *Archive) discard(path string) error {
	if a.check {
		return nil
	}
	return os.Remove(path)
}

// path returns the path of a file of the archive.
func (a *Archive) path(name string) string { return filepath.Join(a.dir, name) }

// current returns the newest month of pool, nil if there is none.
func (a *Archive) current(pool string) *month {
	for i := len(a.months) - 1; i >= 0; i-- {
		if a.months[i].pool == pool {
			return a.months[i]
		}
	}
	return nil
}

// jobs is work in the background, one at a time: its goroutine comes when there
// is work and goes with it.
type jobs struct {
	mu      sync.Mutex
	idle    sync.Cond
	log     *slog.Logger
	queue   []func()
	running bool
	closed  bool
	stop    atomic.Bool // long jobs look at it
}

// add queues fn, unless the archive is closed.
func (j *jobs) add(fn func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.queue = append(j.queue, fn)
	if !j.running {
		j.running = true
		go j.run()
	}
}

func (j *jobs) run() {
	defer setPanicOnFault(setPanicOnFault(true))
	for fn := j.next(); fn != nil; fn = j.next() {
		j.do(fn)
	}
}

// do keeps a panic, such as of a broken disk, from ending the process.
func (j *jobs) do(fn func()) {
	defer func() {
		if p := recover(); p != nil {
			j.log.Error("store: work on files in the background ended early", "panic", p)
		}
	}()
	fn()
}

func (j *jobs) next() (fn func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 || j.closed {
		j.queue, j.running = nil, false
		j.idle.Broadcast()
		return nil
	}
	fn, j.queue = j.queue[0], j.queue[1:]
	return fn
}

// wait returns when nothing is left to do.
func (j *jobs) wait() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.running {
		j.idle.Wait()
	}
}

// close lets the job that runs end and drops the others: Open finds them again.
func (j *jobs) close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.stop.Store(true)
	j.wait()
}
