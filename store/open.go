package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Open opens the store in opt.Dir, or creates it if there has never been one.
// It locks the directory, checks the file as far as that takes well under a
// second (Check does more), and brings it to this program's version.
//
// Its errors are one line that names the file and the reason; errors.Is tells
// ErrLocked, ErrDamaged, ErrVersion and those of package os.
func Open(opt Options) (*Store, error) {
	return open(opt.withDefaults(), migrations)
}

func open(opt Options, steps []migration) (_ *Store, err error) {
	s := &Store{opt: opt, path: filepath.Join(opt.Dir, mainFile), ended: make(chan struct{})}
	s.queue.max = opt.MaxQueue
	s.queue.wake.L = &s.queue.mu
	s.txs.New = func() any { return new(Tx) }
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: unusable directory: %w", err)
	}
	if s.dir, err = lockDir(opt.Dir, opt.LockTimeout); err != nil {
		return nil, err
	}
	if err := s.load(steps); err != nil {
		s.dir.Close()
		return nil, err
	}
	go s.write()
	return s, nil
}

// load opens main.db, in a directory that is ours.
func (s *Store) load(steps []migration) error {
	if err := s.createIfNew(); err != nil {
		return fmt.Errorf("store: create %s: %w", s.path, err)
	}
	if err := os.MkdirAll(s.LogDir(), 0o700); err != nil {
		return fmt.Errorf("store: create %s: %w", s.LogDir(), err)
	}
	if err := checkFile(s.path, openPages, s.opt.Logger); err != nil {
		return fmt.Errorf("store: open %s: %w", s.path, err)
	}
	var err error
	if s.db, err = openBolt(s.path, s.opt); err != nil {
		return fmt.Errorf("store: open %s: %w", s.path, err)
	}
	if err := migrate(s.db, steps); err != nil {
		return errors.Join(fmt.Errorf("store: open %s: %w", s.path, err), s.db.Close())
	}
	err = s.openJournal()
	if err == nil {
		err = s.openArchive()
	}
	if err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
}

// openBolt opens a file that exists. It maps opt.MapSize, or as much as the file
// needs if the system does not give that much address space.
func openBolt(path string, opt Options) (db *bolt.DB, err error) {
	defer setPanicOnFault(setPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	o := &bolt.Options{
		Timeout:         opt.LockTimeout,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: opt.MapSize,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			return os.OpenFile(name, flag&^os.O_CREATE, mode)
		},
	}
	db, err = bolt.Open(path, 0o600, o)
	if errors.Is(err, syscall.ENOMEM) {
		o.InitialMmapSize = 0
		db, err = bolt.Open(path, 0o600, o)
	}
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, lockedBy(path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return db, err
}

// createIfNew makes an empty main.db in a directory that never had one. The file
// gets its name only when it is whole: a main.db of no bytes is always damage.
func (s *Store) createIfNew() error {
	if _, err := os.Stat(s.path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(s.LogDir()); err == nil {
		return fmt.Errorf("%w: the file is missing, but %s shows that there has been one: put it back, or remove %s to begin empty",
			ErrDamaged, s.LogDir(), s.LogDir())
	}
	return s.create()
}

// create writes main.db under another name, syncs it, and gives it its name.
func (s *Store) create() error {
	fresh := s.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := bolt.Open(fresh, 0o600, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(writeVersion(db, 0), db.Sync(), db.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, s.path); err != nil {
		return err
	}
	return s.dir.Sync()
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// diskFree returns the bytes that this user may still write, -1 if unknown.
func diskFree(dir string) int64 {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return -1
	}
	return int64(fs.Bavail) * fs.Bsize
}
