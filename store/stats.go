package store

import (
	"sync/atomic"
	"time"
)

// counters are what the writer and the readers count. All are since Open.
type counters struct {
	views, failed, refused, panics, damaged atomic.Uint64
	commits, commitErrors, updates, bytes   atomic.Uint64

	commitNanos atomic.Uint64
	perCommit   [len(commitBounds) + 1]atomic.Uint64
	batchSizes  [len(batchBounds) + 1]atomic.Uint64
	lastErrorAt atomic.Int64 // of complain, nanoseconds since 1970
	unlogged    atomic.Uint64
}

// Upper bounds of the buckets of the histograms; one more bucket has no bound.
var (
	commitBounds = [...]float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5} // seconds
	batchBounds  = [...]float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}                 // updates
)

// commit counts one commit of n updates and size bytes.
func (c *counters) commit(n, size int, took time.Duration) {
	c.commits.Add(1)
	c.updates.Add(uint64(n))
	c.bytes.Add(uint64(size))
	c.commitNanos.Add(uint64(took))
	c.perCommit[bucketOf(commitBounds[:], took.Seconds())].Add(1)
	c.batchSizes[bucketOf(batchBounds[:], float64(n))].Add(1)
}

func bucketOf(bounds []float64, v float64) int {
	for i, b := range bounds {
		if v <= b {
			return i
		}
	}
	return len(bounds)
}

// Histogram is counts of observations: Counts[i] of those at most Bounds[i] and
// over the bound before; the last count, without a bound, of the rest.
type Histogram struct {
	Bounds []float64
	Counts []uint64
	Sum    float64
}

// Stats is the store in numbers. Counts are since Open.
type Stats struct {
	Queue        int    // updates whose done has not been called
	Views        uint64 // read transactions
	Updates      uint64 // updates in commits
	Failed       uint64 // updates whose fn returned an error
	Refused      uint64 // updates that got ErrBusy or ErrClosed
	Panics       uint64 // updates whose fn panicked: bugs
	Damaged      uint64 // reads that met a broken page
	Commits      uint64 // transactions, failed ones too
	CommitErrors uint64 // failed transactions, such as for a full disk
	Bytes        uint64 // of keys and values put, before pages are made of them

	CommitSeconds Histogram // from the first fn to the sync
	CommitUpdates Histogram // updates in one commit
	FileBytes     int64     // of main.db
	FreePages     int       // pages of main.db that the next commits may use
	DiskFree      int64     // bytes free for us on the file system; -1 unknown
	ReadOnly      bool      // writing has stopped, see ErrUncertain

	JournalBytes uint64 // written to the journal
	JournalMoved uint64 // records of it that went to main.db
	JournalFull  int    // segments that wait to be moved
}

// Stats returns the numbers of now. It makes two system calls: for scrapes, not
// for hot paths.
func (s *Store) Stats() Stats {
	c := &s.stats
	b := s.db.Stats()
	return Stats{
		Queue:        s.queue.len(),
		Views:        c.views.Load(),
		Updates:      c.updates.Load(),
		Failed:       c.failed.Load(),
		Refused:      c.refused.Load(),
		Panics:       c.panics.Load(),
		Damaged:      c.damaged.Load(),
		Commits:      c.commits.Load(),
		CommitErrors: c.commitErrors.Load(),
		Bytes:        c.bytes.Load(),

		CommitSeconds: histogram(commitBounds[:], c.perCommit[:], float64(c.commitNanos.Load())/1e9),
		CommitUpdates: histogram(batchBounds[:], c.batchSizes[:], float64(c.updates.Load())),
		FileBytes:     fileSize(s.path),
		FreePages:     b.FreePageN,
		DiskFree:      diskFree(s.opt.Dir),
		ReadOnly:      s.failed.Load() != nil,

		JournalBytes: s.journal.stats.bytes.Load(),
		JournalMoved: s.journal.stats.moved.Load(),
		JournalFull:  s.journal.waiting(),
	}
}

func histogram(bounds []float64, counts []atomic.Uint64, sum float64) Histogram {
	h := Histogram{Bounds: bounds, Counts: make([]uint64, len(counts)), Sum: sum}
	for i := range counts {
		h.Counts[i] = counts[i].Load()
	}
	return h
}

// complain logs err unless it logged one within the last 10 seconds.
func (s *Store) complain(err error) {
	now := time.Now().UnixNano()
	if now-s.stats.lastErrorAt.Load() < int64(10*time.Second) {
		s.stats.unlogged.Add(1)
		return
	}
	s.stats.lastErrorAt.Store(now)
	s.opt.Logger.Error("store: a commit failed, its updates were refused", "error", err, "unlogged", s.stats.unlogged.Swap(0))
}
