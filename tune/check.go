package tune

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// backlog is how many connections may wait for accept: a burst of logins after a
// network came back.
const backlog = 4096

// Finding is one thing that was looked at.
type Finding struct {
	What string // as "limits", one word for the left column
	Is   string // what is and, unless Good, what is wanted
	Good bool
	Type string // what to type if it is not good; "" if nothing helps but a larger box
}

// Check compares the machine with what l needs, of the kernel also for the
// ports we listen on.
func (b Box) Check(l Load, ports []int) []Finding {
	found := []Finding{b.nofile(l.Needs().Files)}
	for _, s := range b.settings(l.Sessions, ports) {
		if f, ok := b.setting(s); ok {
			found = append(found, f)
		}
	}
	if f := b.memory(l); f.What != "" {
		found = append(found, f)
	}
	return found
}

// nofile looks at the hard limit: the soft one is raised to it at start.
func (b Box) nofile(want uint64) Finding {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return Finding{What: "limits", Is: "the limit of open files cannot be read: " + err.Error()}
	}
	return nofile(l.Max, want)
}

func nofile(limit, want uint64) Finding {
	f := Finding{What: "limits", Good: limit >= want}
	if f.Good {
		f.Is = fmt.Sprintf("%d open files, enough for %d connections", limit, limit-spareFiles)
		return f
	}
	f.Is = fmt.Sprintf("%d connections need %d open files, the limit is %d", want-spareFiles, want, limit)
	f.Type = fmt.Sprintf("systemctl edit meerkat, add under [Service]: LimitNOFILE=%d", want)
	return f
}

// setting compares s with what is. ok is false where this kernel has no such
// setting.
func (b Box) setting(s Setting) (f Finding, ok bool) {
	is, err := b.sysctl(s.Name)
	if err != nil {
		return Finding{}, false
	}
	if s.ok(is) {
		return Finding{What: "kernel", Good: true, Is: fmt.Sprintf("%s = %s", s.Name, is)}, true
	}
	if is == "" {
		is = "empty"
	}
	return Finding{
		What: "kernel",
		Is:   fmt.Sprintf("%s (%s) is %s, wanted %s", s.Name, s.Why, is, s.Want),
		Type: fmt.Sprintf("echo '%s = %s' >> %s && sysctl --system, or all at once: meerkat check -fix", s.Name, s.Want, sysctlFile),
	}, true
}

// sysctl reads a setting, its fields with one blank between them.
func (b Box) sysctl(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join("/", b.Root, sysctlPath(name)))
	return strings.Join(strings.Fields(string(text)), " "), err
}

func sysctlPath(name string) string { return "proc/sys/" + strings.ReplaceAll(name, ".", "/") }

// field is the i-th number of a setting, 0 if there is none.
func field(s string, i int) uint64 {
	f := strings.Fields(s)
	if i >= len(f) {
		return 0
	}
	n, _ := strconv.ParseUint(f[i], 10, 64)
	return n
}

// portsIn reports whether list, as "1024-2000,5222", has all ports.
func portsIn(list string, ports []int) bool {
	for _, p := range ports {
		if !portIn(list, p) {
			return false
		}
	}
	return true
}

func portIn(list string, port int) bool {
	for part := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		low, err := strconv.Atoi(from)
		high, err2 := strconv.Atoi(to)
		if err == nil && err2 == nil && low <= port && port <= high {
			return true
		}
	}
	return false
}

// memory compares the memory with that of l's sessions.
func (b Box) memory(l Load) Finding {
	have, limited := b.Memory()
	if have == 0 {
		return Finding{}
	}
	room := l.Room(have)
	f := Finding{What: "memory", Good: room >= l.Sessions}
	f.Is = fmt.Sprintf("%d MiB, enough for about %d idle connections", have>>20, room)
	if !f.Good {
		f.Is = fmt.Sprintf("%d connections need about %d MiB, there are %d", l.Sessions, l.Needs().Memory>>20, have>>20)
		if limited {
			f.Type = "systemctl edit meerkat, raise MemoryMax under [Service], or the limit of the container"
		}
	}
	return f
}
