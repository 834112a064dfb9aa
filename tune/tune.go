// Package tune knows what the kernel, the limits of the process and the garbage
// collector must be for a number of connections: it reads what is, says what is
// wanted and what to type, and sets what the process may set itself. It knows
// nothing of what the connections carry.
package tune

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// spareFiles are the open files that are no connections: store, listeners,
// loops, and what is for a moment two while a connection moves between loops.
const spareFiles = 512

// Files is what a process may open.
type Files struct {
	Before uint64 // soft limit at start
	Limit  uint64 // soft limit now
	Hard   uint64 // as far as the process may raise it itself
}

// Connections is how many the limit is enough for.
func (f Files) Connections() int { return connections(f.Limit) }

// RaiseNofile raises the soft limit of open files to the hard one. On an error
// Files says what holds all the same.
func RaiseNofile() (Files, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return Files{}, fmt.Errorf("tune: read the limit of open files: %w", err)
	}
	f := Files{Before: l.Cur, Limit: l.Cur, Hard: l.Max}
	if l.Cur == l.Max {
		return f, nil
	}
	l.Cur = l.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return f, fmt.Errorf("tune: raise the limit of open files from %d to %d: %w", f.Before, l.Max, err)
	}
	f.Limit = l.Max
	return f, nil
}

// Free is the space, in bytes, that an unprivileged process may still take on
// the disk of path.
func Free(path string) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, fmt.Errorf("tune: free space of %s: %w", path, err)
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}

// Box is the machine as /proc and /sys under Root show it; "" is this one.
type Box struct{ Root string }

// number reads a file that begins with a number. ok is false if there is none,
// also where the kernel writes "max" for no limit.
func (b Box) number(path string) (n uint64, ok bool) {
	text, err := os.ReadFile(filepath.Join("/", b.Root, path))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(text))
	if len(fields) == 0 {
		return 0, false
	}
	n, err = strconv.ParseUint(fields[0], 10, 64)
	return n, err == nil
}

// lines are the lines of a file, none if it cannot be read.
func (b Box) lines(path string) []string {
	text, err := os.ReadFile(filepath.Join("/", b.Root, path))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}
