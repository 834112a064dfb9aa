// Package depot keeps the files that users upload: it promises a place for one,
// takes it once, hands it out as often as anybody asks, and throws it away when
// it is too old. It knows nothing of XMPP and of HTTP.
//
// What is known of a file is in the store, in rows of its owner, so that it is
// gone with the account. Its bytes, and nothing else, are a file of their own:
//
//	uploads/tmp/ID.* on its way in; emptied at start
//	uploads/ab/ID    whole and on disk, ab being the ID's first random byte
//
// A row is written before a client hears of its place, the file is renamed to
// its name when all of it is on disk, and only then is the row marked as filled.
// So whatever a crash interrupts is either not there, or found by the sweep.
package depot

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"meerkat/engine/config"
	"meerkat/store"
)

// Errors that say what became of a place, or of a file.
var (
	ErrForged   = errors.New("depot: not a place that was promised")
	ErrGone     = errors.New("depot: too late, or no such file")
	ErrUsed     = errors.New("depot: there is a file already")
	ErrBusy     = errors.New("depot: another upload is on its way there")
	ErrFull     = fmt.Errorf("depot: %w", store.ErrDiskFull)
	ErrTooLarge = errors.New("depot: file too large")
)

// Options of a Depot.
type Options struct {
	Store  *store.Store
	Secret []byte // of the server: what places are signed with is derived from it
	Logger *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Depot keeps files. Its methods may be called from any goroutine; those that
// wait for the disk say so.
type Depot struct {
	store  *store.Store
	key    []byte
	log    *slog.Logger
	now    func() time.Time
	dir    string
	limits atomic.Pointer[Limits]
	syncs  chan struct{} // bounds how many files are synced at a time
	totals totals
	rest   time.Duration // between pages of a sweep

	mu     sync.Mutex
	active map[ID]*Upload // files on their way in
}

// Limits are the options that a Depot obeys.
type Limits struct {
	config.Upload
	DiskFree config.Size // what uploads leave free on the disk
}

// maxSyncs is how many files are brought to the disk at a time: more would wait
// for the same disk, with a thread each.
const maxSyncs = 16

// New makes a depot beside the store. Prepare it before files come.
func New(o Options) *Depot {
	d := &Depot{
		store: o.Store, key: derive(o.Secret), log: o.Logger, now: o.Now, dir: filepath.Join(filepath.Dir(o.Store.Path()), "uploads"),
		syncs: make(chan struct{}, maxSyncs), active: make(map[ID]*Upload), rest: sweepPause,
	}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.Default()
	}
	d.SetLimits(config.Default())
	d.show()
	return d
}

// SetLimits takes what is to be obeyed from now on.
func (d *Depot) SetLimits(cfg *config.Config) {
	d.limits.Store(&Limits{cfg.Upload, cfg.Limits.DiskFree})
}

// Prepare makes the directories, and empties that of files that were on their
// way when the process ended. It waits for the disk.
func (d *Depot) Prepare() error {
	tmp := filepath.Join(d.dir, "tmp")
	if err := os.RemoveAll(tmp); err != nil {
		return fmt.Errorf("uploads: %w", err)
	}
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return fmt.Errorf("uploads: %w", err)
	}
	for i := range 256 {
		if err := os.Mkdir(filepath.Join(d.dir, fmt.Sprintf("%02x", i)), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("uploads: %w", err)
		}
	}
	return errors.Join(syncDir(d.dir), syncDir(filepath.Dir(d.dir)))
}

// Now is the time by which files get old.
func (d *Depot) Now() time.Time { return d.now() }

// Used reports whether there have ever been uploads.
func (d *Depot) Used() bool {
	_, err := os.Stat(d.dir)
	return err == nil
}

func (d *Depot) path(id ID) string { return filepath.Join(d.dir, id.shard(), id.String()) }

// syncDir makes names in a directory last.
func syncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
