package store

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// lockDir locks dir for this process. The lock ends with the file it returns, or
// with the process.
func lockDir(dir string, timeout time.Duration) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("store: unusable directory: %w", err)
	}
	if err := flock(f, timeout); err != nil {
		f.Close()
		return nil, fmt.Errorf("store: open %s: %w", dir, err)
	}
	return f, nil
}

// flock tries to lock f until timeout has passed.
func flock(f *os.File, timeout time.Duration) error {
	for end := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("flock: %w", err)
		}
		if time.Now().After(end) {
			return lockedBy(f.Name())
		}
	}
}

// lockedBy is ErrLocked with the process that holds the lock on path, if the
// system tells.
func lockedBy(path string) error {
	if pid := lockHolder(path); pid != "" {
		return fmt.Errorf("%w by process %s", ErrLocked, pid)
	}
	return fmt.Errorf("%w by another process", ErrLocked)
}

// lockHolder looks path's inode up in /proc/locks, whose lines read
//
//	12: FLOCK  ADVISORY  WRITE 812 fe:00:1835012 0 EOF
//
// The device is not compared: some file systems show another one in stat.
func lockHolder(path string) string {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return ""
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return ""
	}
	defer f.Close()
	inode := fmt.Sprintf(":%d", st.Ino)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text())
		if len(w) == 8 && w[1] == "FLOCK" && strings.HasSuffix(w[5], inode) && w[4] != "0" {
			return w[4]
		}
	}
	return ""
}
