package loop

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// epollOf returns the epoll descriptor of this process that watches fd.
//
// The kernel lists in /proc/self/fdinfo what an epoll descriptor watches; the
// inode says that it is this very fd and not one that had its number before.
func epollOf(fd int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return -1, os.NewSyscallError("fstat", err)
	}
	open, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		return -1, fmt.Errorf("find epoll descriptor: %w; /proc must be mounted", err)
	}
	for _, e := range open {
		n, err := strconv.Atoi(e.Name())
		if err == nil && isEpoll(n) && watches(n, fd, st.Ino) {
			return n, nil
		}
	}
	return -1, errors.New("find epoll descriptor: none in /proc/self/fdinfo watches the socket")
}

func isEpoll(fd int) bool {
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return err == nil && name == "anon_inode:[eventpoll]"
}

// watches reads lines like "tfd: 9 events: 19 data: 9 pos:0 ino:7e3f sdev:8".
func watches(epoll, fd int, inode uint64) bool {
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(epoll))
	if err != nil {
		return false
	}
	want := "ino:" + strconv.FormatUint(inode, 16)
	for line := range strings.Lines(string(info)) {
		f := strings.Fields(line)
		if len(f) > 1 && f[0] == "tfd:" && f[1] == strconv.Itoa(fd) && slices.Contains(f, want) {
			return true
		}
	}
	return false
}
