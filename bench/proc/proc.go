// Package proc measures processes and the machine, and runs children that die
// with the bench. It knows nothing of what they do.
package proc

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is the processor time that process pid has used with all its threads,
// also ended ones, in user and kernel: its CPU-time clock, exact to
// nanoseconds where /proc/PID/stat counts 10 ms ticks.
func CPU(pid int) (time.Duration, error) {
	const schedClock = 2 // CPUCLOCK_SCHED of the kernel's posix-timers.h; see clock_getcpuclockid(3)
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &ts); err != nil {
		return 0, fmt.Errorf("proc: CPU time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// Mem is the memory of a process, in bytes.
type Mem struct {
	RSS  int64 // resident now
	Peak int64 // resident at most, ever
	Anon int64 // resident and its own: no file pages
}

// Memory reads /proc/PID/status.
func Memory(pid int) (Mem, error) {
	f, err := fields(fmt.Sprintf("/proc/%d/status", pid))
	return Mem{RSS: f["VmRSS"], Peak: f["VmHWM"], Anon: f["RssAnon"]}, err
}

// Free is how many bytes the machine could give to new processes.
func Free() (int64, error) {
	f, err := fields("/proc/meminfo")
	return f["MemAvailable"], err
}

// Kernel is how many bytes the kernel uses for the sockets of the machine and
// what hangs on each: inode, file, and what polls it. Where its list of objects
// may not be read, it is all that the kernel uses for objects.
func Kernel() (int64, error) {
	b, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		f, err := fields("/proc/meminfo")
		return f["Slab"], err
	}
	var sum int64
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line) // name, objects in use, objects, bytes of one
		if len(f) < 4 || !slices.Contains(socketObjects, f[0]) {
			continue
		}
		used, _ := strconv.ParseInt(f[1], 10, 64)
		size, _ := strconv.ParseInt(f[3], 10, 64)
		sum += used * size
	}
	return sum, nil
}

// socketObjects are the kernel's names for them (slabinfo(5)).
var socketObjects = []string{"TCP", "TCPv6", "sock_inode_cache", "filp", "eventpoll_epi", "eventpoll_pwq", "ep_head"}

// Total is the machine's memory in bytes.
func Total() (int64, error) {
	f, err := fields("/proc/meminfo")
	return f["MemTotal"], err
}

// fields reads lines of "Name: 12 kB".
func fields(path string) (map[string]int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("proc: %w", err)
	}
	m := map[string]int64{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, ":")
		if kb, ok := strings.CutSuffix(strings.TrimSpace(value), " kB"); ok {
			n, _ := strconv.ParseInt(kb, 10, 64)
			m[name] = n << 10
		}
	}
	return m, nil
}

// Busy is the processor time that the whole machine has used, and how much
// there was to use, since it started.
func Busy() (used, all time.Duration, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, fmt.Errorf("proc: %w", err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux port that Go has
	for i, f := range strings.Fields(string(line))[1:] {
		n, _ := strconv.ParseInt(f, 10, 64)
		switch i {
		case 3, 4: // idle, waiting for a disk
			all += time.Duration(n) * tick
		case 0, 1, 2, 5, 6, 7: // user, nice, system, irq, softirq, stolen
			used += time.Duration(n) * tick
			all += time.Duration(n) * tick
		}
	}
	return used, all, nil
}

// Machine describes where something was measured.
type Machine struct {
	Kernel    string
	Processor string
	Cores     int
	Memory    int64 // bytes
}

// Here is this machine.
func Here() Machine {
	var uts unix.Utsname
	m := Machine{Cores: cores()}
	if unix.Uname(&uts) == nil {
		m.Kernel = unix.ByteSliceToString(uts.Release[:])
	}
	m.Memory, _ = Total() // 0 says that it is not known
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.Processor = strings.TrimSpace(value)
			break
		}
	}
	return m
}

func cores() int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return 0
	}
	return set.Count()
}
