package tune

import (
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// noLimit is what version 1 of cgroups writes, and more, where nothing is set.
const noLimit = 1 << 60

// Memory is the bytes there are for this process: those of the machine, or what
// the nearest cgroup with a limit allows. limited says that a cgroup decided.
func (b Box) Memory() (bytes uint64, limited bool) {
	bytes = b.meminfo("MemTotal")
	if limit, ok := b.cgroupLimit(); ok && (bytes == 0 || limit < bytes) {
		return limit, true
	}
	return bytes, false
}

// meminfo is a row of /proc/meminfo in bytes, 0 if it is not there.
func (b Box) meminfo(name string) uint64 {
	for _, l := range b.lines("proc/meminfo") {
		if f := strings.Fields(l); len(f) == 3 && f[0] == name+":" {
			kib, _ := strconv.ParseUint(f[1], 10, 54)
			return kib << 10
		}
	}
	return 0
}

// cgroupLimit is the least limit from our cgroup up to the root.
func (b Box) cgroupLimit() (least uint64, ok bool) {
	b.eachCgroup(func(c cgroup) {
		if n, found := b.number(path.Join(c.dir, c.limit)); found && n < noLimit && (!ok || n < least) {
			least, ok = n, true
		}
	})
	return least, ok
}

// cgroup is a directory with the two files that matter here.
type cgroup struct{ dir, limit, usage string }

// eachCgroup calls fn from our cgroup up to the root, of version 2 and, where
// memory is still counted by it, version 1.
func (b Box) eachCgroup(fn func(cgroup)) {
	for _, l := range b.lines("proc/self/cgroup") {
		f := strings.SplitN(l, ":", 3) // number:controllers:path
		if len(f) != 3 {
			continue
		}
		mount, c := "sys/fs/cgroup", cgroup{limit: "memory.max", usage: "memory.current"}
		if f[0] != "0" {
			mount, c = "sys/fs/cgroup/memory", cgroup{limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes"}
			if !strings.Contains(","+f[1]+",", ",memory,") {
				continue
			}
		}
		for dir := path.Clean("/" + f[2]); ; dir = path.Dir(dir) {
			c.dir = path.Join(mount, dir)
			fn(c)
			if dir == "/" {
				break
			}
		}
	}
}

// GC is what the collector was told.
type GC struct {
	Memory  uint64 // bytes there are
	Limit   int64  // GOMEMLIMIT, bytes; 0 where the memory is not known
	Why     string // for the log
	limited bool   // by a cgroup
	fixed   bool   // by the environment
}

// Follow moves the limit with what the rest of the box, above all the kernel's
// sockets, leaves: own bytes that the process has, available ones, and of total
// the part spare is never counted on. It reports whether the limit has moved;
// it does for what matters only.
func (gc *GC) Follow(total, available, own uint64, spare float64) bool {
	if gc.fixed || gc.Limit == 0 || total == 0 {
		return false
	}
	room := float64(own) + float64(available) - spare*float64(total)
	limit := min(max(int64(room), leastLimit), goal(gc.Memory, gc.limited))
	if moved := limit - gc.Limit; max(moved, -moved) < gc.Limit/32 {
		return false
	}
	gc.Limit = limit
	debug.SetMemoryLimit(limit)
	return true
}

// leastLimit, bytes, is enough for a server with nobody on it.
const leastLimit = 64 << 20

// SetGC gives the collector a soft limit below the memory there is, so that it
// works harder before the kernel kills the process. GOMEMLIMIT in the environment
// wins. Follow keeps the limit true while the kernel's share grows.
//
// GOGC stays at its default. Measured with logins over TLS, the worst garbage
// there is: 50 saves 0.5 kB of a session's 3.5 and costs a fifth more CPU a login,
// 200 saves less than a tenth of that CPU; what a burst leaves, Keeper gives back.
//
// Huge pages are not asked for: the collector marks 220 MB of small objects in
// 95 ms of CPU with and without them, and the process grows by 2 %.
func (b Box) SetGC() GC {
	memory, limited := b.Memory()
	switch {
	case os.Getenv("GOMEMLIMIT") != "":
		return GC{Memory: memory, Limit: debug.SetMemoryLimit(-1), Why: "GOMEMLIMIT", fixed: true}
	case memory == 0:
		return GC{Why: "memory of this machine unknown"}
	}
	gc := GC{Memory: memory, Limit: goal(memory, limited), Why: "memory of this machine", limited: limited}
	if limited {
		gc.Why = "memory limit of the cgroup"
	}
	debug.SetMemoryLimit(gc.Limit)
	return gc
}

// goal is 90 % of a cgroup's limit, which is all ours, and 75 % of a machine's
// memory, where the kernel needs room for sockets and for the pages of the
// store.
func goal(memory uint64, limited bool) int64 {
	if limited {
		return int64(memory / 10 * 9)
	}
	return int64(memory / 4 * 3)
}
