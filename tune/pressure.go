package tune

import (
	"path"
	"runtime/metrics"
	"strconv"
	"strings"
)

// Pressure is how much of the memory is taken, each from 0 to 1.
type Pressure struct {
	// Box is the machine's or the cgroup's memory that could not be given to
	// anybody any more: neither free nor a cache. It counts the kernel's
	// sockets, which weigh more than our sessions.
	Box float64
	// Heap is the part of the collector's limit that lives. Near 1 the collector
	// works all the time and frees nothing.
	Heap float64
}

// mostHeap is the part of its limit that may live. With less than a fifth to
// spare the collector works more than the server.
const mostHeap = 0.8

// Fullness is how near the memory is to where nobody more should be let in: 1
// is there. most, from 0 to 1, is the part of the box that may be in use.
func (p Pressure) Fullness(most float64) float64 { return max(p.Box/most, p.Heap/mostHeap) }

// Pressure looks at the box and at the heap of this process, whose limit is
// limit, 0 if it has none.
func (b Box) Pressure(limit int64) (p Pressure) {
	total, available := b.Available()
	if total > 0 {
		p.Box = 1 - float64(min(available, total))/float64(total)
	}
	if limit > 0 {
		p.Heap = float64(live()) / float64(limit)
	}
	return p
}

// live is the bytes that the last collection found in use, and stacks.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() + s[1].Value.Uint64()
}

// Available is how many bytes there are for this process and its sockets, and
// how many of them are left, of the machine or of the cgroup that leaves less.
func (b Box) Available() (total, available uint64) {
	total, available = b.meminfo("MemTotal"), b.meminfo("MemAvailable")
	b.eachCgroup(func(c cgroup) {
		limit, ok := b.number(path.Join(c.dir, c.limit))
		used, known := b.number(path.Join(c.dir, c.usage))
		if !ok || !known || limit >= noLimit {
			return
		}
		used -= min(used, b.inactiveFile(c.dir))
		if left := limit - min(used, limit); total == 0 || left < available {
			total, available = limit, left
		}
	})
	return total, available
}

// inactiveFile is the cache that a cgroup could drop at once.
func (b Box) inactiveFile(dir string) uint64 {
	for _, l := range b.lines(path.Join(dir, "memory.stat")) {
		name, value, _ := strings.Cut(l, " ")
		if name == "inactive_file" || name == "total_inactive_file" {
			n, _ := strconv.ParseUint(value, 10, 64)
			return n
		}
	}
	return 0
}
