package depot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"meerkat/store"
)

// Place is where one file is awaited.
type Place struct {
	Size int64
	Type string // "" if the client did not say
	id   ID
}

// Place returns the place that a client was promised, if he may still fill it.
// The error is ErrForged, ErrGone, or ErrUsed.
func (d *Depot) Place(id ID, s Signature) (p Place, err error) {
	if !d.signed(id, s) {
		return p, ErrForged
	}
	err = d.store.View(func(tx *store.Tx) error {
		owner, r, err := find(tx, id)
		switch {
		case err != nil:
			return err
		case r.filled:
			return ErrUsed
		case owner == "", r.over(0, d.now()):
			return ErrGone
		}
		p = Place{r.size, r.kind, id}
		return nil
	})
	return p, err
}

// Upload is a file on its way in.
type Upload struct {
	d     *Depot
	place Place
	tmp   string
	f     *os.File
	n     int64
	last  bool // it is being committed; guarded by d.mu
	over  bool
}

// Begin makes room for the file of a place. A client whose connection broke comes
// again before we hear of it: what it began before ends here. The error is
// ErrBusy, ErrUsed or ErrFull, or one of the disk. What is begun must be closed.
func (d *Depot) Begin(p Place) (*Upload, error) {
	u := &Upload{d: d, place: p}
	if err := u.open(); err != nil {
		return nil, err
	}
	if err := d.begin(u); err != nil {
		u.discard()
		return nil, err
	}
	if err := d.stillFree(p.id); err != nil {
		u.discard()
		d.end(u)
		return nil, err
	}
	uploading.Add(offLoop, 1)
	return u, nil
}

// stillFree looks at a place once more that nobody else can fill now: since it was
// looked at before, another upload may have been finished, whose file must stay.
func (d *Depot) stillFree(id ID) error {
	return d.store.View(func(tx *store.Tx) error {
		_, r, err := find(tx, id)
		if err == nil && r.filled {
			err = ErrUsed
		}
		return err
	})
}

func (u *Upload) open() (err error) {
	if !u.d.hasRoom(u.place.Size) {
		return ErrFull
	}
	if u.f, err = os.CreateTemp(filepath.Join(u.d.dir, "tmp"), u.place.id.String()+".*"); err != nil {
		return diskError(err)
	}
	u.tmp = u.f.Name()
	err = unix.Fallocate(int(u.f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, u.place.Size)
	if err == nil || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	u.discard()
	return diskError(err)
}

// begin makes u the upload of its place, and ends the one before.
func (d *Depot) begin(u *Upload) error {
	d.mu.Lock()
	before := d.active[u.place.id]
	if before != nil && before.last {
		d.mu.Unlock()
		return ErrBusy
	}
	d.active[u.place.id] = u
	d.mu.Unlock()
	if before != nil {
		before.discard()
	}
	return nil
}

// claim reports whether u is still the upload of its place, which then no other
// becomes.
func (d *Depot) claim(u *Upload) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	u.last = d.active[u.place.id] == u
	return u.last
}

func (d *Depot) end(u *Upload) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.active[u.place.id] == u {
		delete(d.active, u.place.id)
	}
}

func (d *Depot) isActive(id ID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.active[id] != nil
}

// Write adds bytes of the file. More than were announced are refused.
func (u *Upload) Write(b []byte) (int, error) {
	if int64(len(b)) > u.place.Size-u.n {
		return 0, ErrTooLarge
	}
	n, err := u.f.Write(b)
	u.n += int64(n)
	if errors.Is(err, os.ErrClosed) {
		err = ErrBusy
	}
	return n, diskError(err)
}

// Commit puts the file where it belongs. It waits for the disk: when there is no
// error the file stays, whatever happens. kind is used if the place has no type.
func (u *Upload) Commit(kind string) error {
	if u.n != u.place.Size {
		return fmt.Errorf("depot: %d bytes came of %d", u.n, u.place.Size)
	}
	if !u.d.claim(u) {
		return ErrBusy
	}
	if err := u.settle(); err != nil {
		return diskError(err)
	}
	if err := u.d.store.UpdateWait(func(tx *store.Tx) error { return u.fill(tx, kind) }); err != nil {
		_ = os.Remove(u.d.path(u.place.id)) // the sweep finds it otherwise
		return err
	}
	stored.Add(offLoop, 1)
	storedBytes.Add(offLoop, uint64(u.n))
	return nil
}

// settle brings the file to the disk and gives it its name.
func (u *Upload) settle() error {
	u.d.syncs <- struct{}{}
	defer func() { <-u.d.syncs }()
	if err := u.f.Sync(); err != nil {
		return err
	}
	if err := u.f.Close(); err != nil {
		return err
	}
	path := u.d.path(u.place.id)
	if err := os.Rename(u.tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// fill marks the row. Meanwhile the account may have been removed.
func (u *Upload) fill(tx *store.Tx, kind string) error {
	owner, r, err := find(tx, u.place.id)
	switch {
	case err != nil:
		return err
	case owner == "":
		return ErrGone
	case r.filled:
		return ErrUsed
	}
	r.filled = true
	if r.kind == "" {
		r.kind = kind
	}
	return putRow(tx, owner, u.place.id, &r)
}

// Close ends the upload; without Commit nothing of it is left.
func (u *Upload) Close() {
	if u.over {
		return
	}
	u.over = true
	u.discard()
	u.d.end(u)
	uploading.Add(offLoop, -1)
}

// discard gives back what the upload has of the disk. It may be called by another
// goroutine than the upload's.
func (u *Upload) discard() {
	_ = u.f.Close() // it is closed after Commit, or when another has begun
	if err := os.Remove(u.tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		u.d.log.Warn("what is left of an upload cannot be removed; the next start does", "err", err)
	}
}

// diskError tells a full disk from other trouble.
func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return ErrFull
	}
	return err
}

// Full reports whether an error means that there is no room on the disk.
func Full(err error) bool { return errors.Is(err, store.ErrDiskFull) }

// File is a file to hand out.
type File struct {
	*os.File
	Name, Type string
	Size       int64
	Created    time.Time
	Ends       time.Time // when it is not to be had any more; zero: never
}

// Open opens the file id. The error is ErrGone, or one of the disk.
func (d *Depot) Open(id ID) (*File, error) {
	var f File
	keep, now := time.Duration(d.limits.Load().Retention), d.now()
	err := d.store.View(func(tx *store.Tx) error {
		owner, r, err := find(tx, id)
		if err == nil && (owner == "" || !r.filled || r.over(keep, now)) {
			err = ErrGone
		}
		f = File{Name: r.name, Type: r.kind, Size: r.size, Created: time.Unix(r.created, 0), Ends: r.ends(keep)}
		return err
	})
	if err != nil {
		return nil, err
	}
	f.File, err = os.Open(d.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		lost.Add(offLoop, 1)
		return nil, ErrGone
	}
	return &f, err
}

// Shows reports whether a browser may show a file of that type in place.
func (d *Depot) Shows(kind string) bool { return d.limits.Load().Shows(BaseType(kind)) }
