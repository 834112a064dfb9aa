package store

import (
	"fmt"
	"syscall"
)

// Trim gives back the memory that reading the mapped file has added to this
// process (RssFile in /proc/self/status). The pages stay in the page cache, where
// they are free for the taking; reading one again costs a minor fault. Readers
// go on meanwhile. Call it now and then, after many accounts have been loaded,
// from any goroutine but a loop's.
func (s *Store) Trim() error {
	return s.View(func(tx *Tx) error { // the mapping stays where it is while this runs
		start := tx.b.DB().Info().Data
		_, _, errno := syscall.Syscall(syscall.SYS_MADVISE, start, uintptr(tx.b.Size()), syscall.MADV_DONTNEED)
		if errno != 0 {
			return fmt.Errorf("store: trim %s: %w", s.path, errno)
		}
		return nil
	})
}
