// Package store keeps what must survive a crash: four shapes of data per
// owner, in one file of bbolt pages, written by one writer that commits many
// updates at once. It knows nothing of addresses, stanzas and loops.
//
// A shape is declared once, as a package variable of whoever uses it:
//
//	Doc   one value per owner                   a roster, a vCard
//	Map   ordered keys per owner                a blocklist, private XML
//	Log   entries appended in order per owner   offline messages
//	Queue numbered values that live for seconds what a client has not acknowledged
//
// The Archive, which is not declared, keeps rows in order of time for months.
//
// An owner is any string that a person would call an account, such as a bare
// JID; see CheckOwner for the few it may not be.
//
// Rules of the package:
//
//   - Reads (View) run on any goroutine and cost a walk in mapped memory. Bytes
//     they hand out live as long as the function that got them.
//   - Writes (Update) never block the caller. An error of one update undoes that
//     update alone. done(nil) means committed and synced to disk.
//   - A full disk fails writes, never reads, and is over when space is back.
//   - A file that is broken is never replaced by an empty one.
//
// Files in Options.Dir, which is locked as a whole:
//
//	main.db    accounts and all that hangs on them
//	log/       append-only archives, one file a month
//	journal/   what Queues have had lately; empty when the store is closed
package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	mainFile = "main.db"
	logDir   = "log"
)

// Options say where the store is and what it may use. Only Dir is required.
type Options struct {
	Dir    string       // created, mode 0700, if missing
	Logger *slog.Logger // for what an operator must act on; default slog.Default()

	MaxQueue int // updates waiting for the writer before ErrBusy; default 65536
	MaxBatch int // most updates in one commit; default 1024

	// MapSize is how many bytes of address space to reserve for the file, so
	// that growing it never has to wait for readers. It uses no memory. Default
	// 64 GiB; a larger file works and is mapped anew each GiB.
	MapSize int

	LockTimeout time.Duration // how long Open waits for another process to let go; default 1 s
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.MaxQueue = or(o.MaxQueue, 1<<16)
	o.MaxBatch = or(o.MaxBatch, 1024)
	o.MapSize = or(o.MapSize, 64<<30)
	o.LockTimeout = or(o.LockTimeout, time.Second)
	return o
}

func or[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Store is an open store. Its methods may be called from any goroutine.
type Store struct {
	opt   Options
	path  string   // of main.db
	dir   *os.File // holds the lock
	db    *bolt.DB
	queue queue
	stop  sync.Once
	ended chan struct{} // closed when the writer has drained
	txs   sync.Pool     // of *Tx, for View
	stats counters

	archive *Archive
	journal *journal

	// failed is set when it cannot be told whether a commit is on disk. Writing
	// on could acknowledge what is lost, so every later update gets it.
	failed atomic.Pointer[error]
}

// View runs fn with a read transaction: the state as of the last commit, which
// stays as it is until fn returns, and which every done called before has seen.
//
// fn must be short: while it runs, pages it might see cannot be reused and the
// file grows. It must not call View, and must not wait for an Update.
// It returns what fn returns, ErrClosed, or ErrDamaged if fn met a broken page.
func (s *Store) View(fn func(tx *Tx) error) (err error) {
	b, err := s.db.Begin(false)
	if err != nil {
		return s.viewError(err)
	}
	tx := s.txs.Get().(*Tx)
	tx.b = b
	old := setPanicOnFault(true)
	defer func() {
		p := recover()
		setPanicOnFault(old)
		tx.release()
		s.txs.Put(tx)
		_ = b.Rollback() // of a read transaction: it only fails if it is over
		if p != nil {
			err = s.damage(p)
		}
	}()
	s.stats.views.Add(1)
	return fn(tx)
}

func (s *Store) viewError(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return fmt.Errorf("store: read %s: %w", s.path, err)
}

// UpdateWait is Update that waits for done and returns its error. It is for tools,
// tests and start-up: never for a loop, a done or a View, which it could stop.
func (s *Store) UpdateWait(fn func(tx *Tx) error) error {
	answer := make(chan error, 1)
	s.Update(fn, func(err error) { answer <- err })
	return <-answer
}

// Close refuses new updates, commits those that wait, calls their done, and
// closes the file, once every View has returned. A second Close does nothing.
// It must not be called by a done.
func (s *Store) Close() (err error) {
	s.stop.Do(func() {
		s.queue.close()
		<-s.ended
		s.archive.close()
		if err = errors.Join(s.journal.close(), s.db.Close()); err != nil {
			err = fmt.Errorf("store: close %s: %w", s.path, err)
		}
		err = errors.Join(err, s.dir.Close())
	})
	return err
}

// Path returns the path of the file with the accounts, for messages.
func (s *Store) Path() string { return s.path }

// LogDir returns the directory for archive files, which exists.
func (s *Store) LogDir() string { return filepath.Join(s.opt.Dir, logDir) }
