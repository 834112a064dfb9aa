package tune

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// bytesPerConnection is the memory of an idle connection with its session:
	// ours and the kernel's two socket structures.
	bytesPerConnection = 12 << 10
	// backlog is how many connections may wait for accept: a burst of logins
	// after a network came back.
	backlog = 4096
)

// Finding is one thing that was looked at.
type Finding struct {
	What string // as "limits", one word for the left column
	Is   string // what is and, unless Good, what is wanted
	Good bool
	Type string // what to type if it is not good; "" if nothing helps but a larger box
}

// Check compares the machine with what n connections need.
func (b Box) Check(n int) []Finding {
	files := uint64(n) + spareFiles
	found := []Finding{b.nofile(files)}
	found = append(found,
		b.sysctl("fs.nr_open", files, "limits of open files above it are refused"),
		b.sysctl("fs.file-max", files+files/4, "open files of the whole machine"),
		b.sysctl("net.core.somaxconn", backlog, "connections that wait for accept"),
		b.sysctl("net.ipv4.tcp_max_syn_backlog", backlog, "connections half open"),
		b.sysctl("net.netfilter.nf_conntrack_max", uint64(n)+uint64(n)/4, "connections the firewall can follow"),
	)
	found = append(found, b.memory(n))
	kept := found[:0]
	for _, f := range found {
		if f.What != "" {
			kept = append(kept, f)
		}
	}
	return kept
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

// sysctl looks at a number of the kernel that must be at least want. The
// Finding is empty where this kernel has none.
func (b Box) sysctl(name string, want uint64, what string) Finding {
	is, ok := b.number("proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if !ok {
		return Finding{}
	}
	if is >= want {
		return Finding{What: "kernel", Good: true, Is: fmt.Sprintf("%s = %d", name, is)}
	}
	return Finding{
		What: "kernel",
		Is:   fmt.Sprintf("%s (%s) is %d, wanted %d", name, what, is, want),
		Type: fmt.Sprintf("echo '%s = %d' >> /etc/sysctl.d/60-meerkat.conf && sysctl --system", name, want),
	}
}

// memory compares the memory with that of n idle connections.
func (b Box) memory(n int) Finding {
	have, limited := b.Memory()
	if have == 0 {
		return Finding{}
	}
	enough := int(have / 4 * 3 / bytesPerConnection)
	f := Finding{What: "memory", Good: enough >= n}
	f.Is = fmt.Sprintf("%d MiB, enough for about %d idle connections", have>>20, enough)
	if !f.Good {
		f.Is = fmt.Sprintf("%d connections need about %d MiB, there are %d", n, uint64(n)*bytesPerConnection/3*4>>20, have>>20)
		if limited {
			f.Type = "systemctl edit meerkat, raise MemoryMax under [Service], or the limit of the container"
		}
	}
	return f
}
