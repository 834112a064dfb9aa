package store

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"
)

// Errors of Open. Each is wrapped with the file and the reason.
var (
	// ErrLocked says that another process has the store open.
	ErrLocked = errors.New("locked")

	// ErrDamaged says that a file is not what was written. Open never goes on
	// from it; View returns it when it meets a broken page later.
	ErrDamaged = errors.New("damaged")

	// ErrVersion says that the file was written by a newer program.
	ErrVersion = errors.New("made by a newer version")
)

// Errors handed to the done of an Update that never ran.
var (
	// ErrBusy says that Options.MaxQueue updates wait already.
	ErrBusy = errors.New("store: too many updates are waiting")

	// ErrClosed says that Close has been called.
	ErrClosed = errors.New("store: closed")
)

// Errors of a commit: nothing of the update has been stored.
var (
	// ErrDiskFull says that the disk, or the quota on it, has no room. Later
	// updates succeed as soon as there is.
	ErrDiskFull = errors.New("disk full")

	// ErrUncertain is the exception: the update may or may not be on disk. After
	// it the store only reads, until it is opened again.
	ErrUncertain = errors.New("not known to be on disk, writing stops until a restart")
)

// Errors of the methods of a shape. What returns one has written nothing.
var (
	// ErrFull says that a log has as many entries or bytes as its limit allows.
	ErrFull = errors.New("store: log is full")

	// ErrTooLarge says that a value is over MaxValue, or could never fit its log.
	ErrTooLarge = errors.New("store: value too large")

	// ErrKey says that an owner or key is empty, too long, or has a NUL.
	ErrKey = errors.New("store: unusable owner or key")

	// ErrReadOnly says that a View tried to write.
	ErrReadOnly = errors.New("store: write in a read transaction")
)

// ErrStop ends an Each early: it then returns nil.
var ErrStop = errors.New("store: stop")

// stopped turns ErrStop into success.
func stopped(err error) error {
	if err == ErrStop {
		return nil
	}
	return err
}

// commitError names the file, and says which errors mean a full disk. bbolt
// formats some of them away, so the text is looked at too.
func (s *Store) commitError(err error) error { return writeError(s.path, err) }

// archiveError is commitError for the archive.
func (s *Store) archiveError(err error) error { return writeError(s.LogDir(), err) }

func writeError(path string, err error) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, berrors.ErrMaxSizeReached} {
		if errors.Is(err, full) || strings.Contains(err.Error(), full.Error()) {
			return fmt.Errorf("store: write %s: %w: %w", path, ErrDiskFull, err)
		}
	}
	return fmt.Errorf("store: write %s: %w", path, err)
}

// setPanicOnFault makes a fault on the mapped file (a bad disk, a truncated
// file) a panic of this goroutine and not the end of the process.
func setPanicOnFault(on bool) bool { return debug.SetPanicOnFault(on) }

// damage returns the error that panic p stands for if p comes from a broken
// page, and panics again if it is somebody's bug.
func (s *Store) damage(p any) error {
	if !fromPage(p) {
		panic(p)
	}
	s.stats.damaged.Add(1)
	return fmt.Errorf("store: read %s: %w: %v", s.path, ErrDamaged, p)
}

// fromPage reports whether p, just recovered, comes of a broken page: a memory
// fault at an address, or anything but a nil pointer that went wrong in bbolt,
// which trusts what it reads.
func fromPage(p any) bool {
	if _, fault := p.(interface{ Addr() uintptr }); fault {
		return true // the error of a nil pointer has no Addr
	}
	err, ok := p.(runtime.Error)
	isNil := ok && strings.Contains(err.Error(), "nil pointer")
	return !isNil && strings.HasPrefix(panicOrigin(), "go.etcd.io/bbolt")
}

// panicOrigin returns the function that panicked, in a deferred function.
func panicOrigin() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for panicked := false; ; {
		f, more := frames.Next()
		if panicked && !strings.HasPrefix(f.Function, "runtime.") {
			return f.Function
		}
		panicked = panicked || f.Function == "runtime.gopanic"
		if !more {
			return ""
		}
	}
}
