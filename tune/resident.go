package tune

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Resident is the memory of this process that is in RAM, in bytes.
type Resident struct {
	All  uint64
	File uint64 // of it pages of files, which the kernel can take back: the store, the program
}

// Own is what the process holds for itself alone.
func (r Resident) Own() uint64 { return r.All - min(r.File, r.All) }

// Resident reads what the kernel counts; it costs a system call or three.
func (b Box) Resident() (Resident, error) {
	lines := b.lines("proc/self/statm")
	if len(lines) == 0 {
		return Resident{}, fmt.Errorf("tune: no memory count: %s/proc/self/statm cannot be read", b.Root)
	}
	f := strings.Fields(lines[0]) // pages: size, resident, of files and shared, ...
	if len(f) < 3 {
		return Resident{}, fmt.Errorf("tune: memory count of an unknown form: %q", lines[0])
	}
	all, err := strconv.ParseUint(f[1], 10, 50)
	if err != nil {
		return Resident{}, fmt.Errorf("tune: memory count: %w", err)
	}
	file, err := strconv.ParseUint(f[2], 10, 50)
	if err != nil {
		return Resident{}, fmt.Errorf("tune: memory count: %w", err)
	}
	page := uint64(os.Getpagesize())
	return Resident{All: all * page, File: file * page}, nil
}
