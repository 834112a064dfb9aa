package tune

import (
	"cmp"
	"fmt"
	"slices"
)

// What an idle session weighs, in bytes, on linux/amd64, as `meerkat bench idle`
// measures it: bound, available, with its account. Heap per session is held to
// its budget by a test; the rest of the process is what the collector and the
// allocator add to it after a burst of logins.
const (
	processPlain = 3200
	processTLS   = 3700
	kernelSocket = 3700 // the server's end: socket, inode, file, epoll's item
	processBase  = 64 << 20

	// An account on disk: keys, indices and free pages, and each contact.
	storeAccount = 700
	storeContact = 70
)

// Load is what a server shall hold.
type Load struct {
	Sessions int
	Roster   int // contacts of each account
	TLS      bool
}

// Needs is what a Load needs, in bytes unless said otherwise.
type Needs struct {
	Process uint64 // the server's own memory
	Kernel  uint64 // memory of its sockets
	Memory  uint64 // so much must the box have, for the two and what is to stay free
	Disk    uint64 // accounts and rosters; messages come on top
	Files   uint64 // open files
}

// free is the part of the box that is kept free: what limits.memory leaves.
const free = 0.08

// Needs adds up what l needs.
func (l Load) Needs() Needs {
	n := uint64(l.Sessions)
	needs := Needs{
		Process: n*l.process() + processBase,
		Kernel:  n * kernelSocket,
		Disk:    n * uint64(storeAccount+storeContact*l.Roster),
		Files:   n + spareFiles,
	}
	needs.Memory = uint64(float64(needs.Process+needs.Kernel) / (1 - free))
	return needs
}

func (l Load) process() uint64 {
	if l.TLS {
		return processTLS
	}
	return processPlain
}

// Room is how many sessions such as l's fit into memory bytes.
func (l Load) Room(memory uint64) int {
	most := float64(memory)*(1-free) - processBase
	return int(max(0, most) / float64(l.process()+kernelSocket))
}

// Bound is something that limits how many sessions fit.
type Bound struct {
	By       string
	Sessions int
}

// Bounds are what limits l's sessions on this box, the tightest first. files is
// how many the server may open.
func (b Box) Bounds(l Load, files uint64) []Bound {
	bounds := []Bound{{"open files of the process", connections(files)}}
	if memory, limited := b.Memory(); limited {
		bounds = append(bounds, Bound{"memory of the cgroup", l.Room(memory)})
	} else if memory > 0 {
		bounds = append(bounds, Bound{"memory", l.Room(memory)})
	}
	for _, name := range []string{"fs.file-max", "net.netfilter.nf_conntrack_max"} {
		if is, err := b.sysctl(name); err == nil { // four fifths are for us, as in settings
			bounds = append(bounds, Bound{name, int(min(field(is, 0), maxSessions) / 5 * 4)})
		}
	}
	slices.SortFunc(bounds, func(a, b Bound) int {
		return cmp.Or(cmp.Compare(a.Sessions, b.Sessions), cmp.Compare(a.By, b.By))
	})
	return bounds
}

// maxSessions is for limits that are none.
const maxSessions = 1 << 40

// connections is how many fit into a limit of open files.
func connections(files uint64) int { return int(min(files, maxSessions) - min(files, spareFiles)) }

// Setting is a number of the kernel, or several, that many connections need.
type Setting struct {
	Name string // as sysctl has it
	Want string
	Why  string
	ok   func(is string) bool
}

// manyConnections is from where on the kernel's own choice of buffers and ports
// is too generous or too narrow.
const manyConnections = 100_000

// settings are what n connections to the ports of ours need of the kernel.
func (b Box) settings(n int, ports []int) []Setting {
	is, _ := b.sysctl(portRange) // none: no port is in danger
	lowest, highest := field(is, 0), field(is, 1)
	files := uint64(n) + spareFiles
	all := []Setting{
		atLeast("fs.nr_open", files, "limits of open files above it are refused"),
		atLeast("fs.file-max", files+files/4, "open files of the whole machine"),
		atLeast("net.core.somaxconn", backlog, "connections that wait for accept"),
		atLeast("net.ipv4.tcp_max_syn_backlog", backlog, "connections half open"),
		atLeast("net.netfilter.nf_conntrack_max", uint64(n)+uint64(n)/4, "connections the firewall can follow"),
		{"net.ipv4.tcp_mem", fmt.Sprintf("%d %d %d", n/4, n/2, n), "pages for bytes under way, of the whole machine",
			func(is string) bool { return field(is, 2) >= uint64(n) }},
	}
	if n >= manyConnections {
		all = append(all,
			Setting{"net.ipv4.tcp_rmem", "4096 16384 1048576", "bytes under way to us, of one connection",
				func(is string) bool { return field(is, 2) <= 1<<20 }},
			Setting{"net.ipv4.tcp_wmem", "4096 16384 1048576", "bytes under way from us, of one connection",
				func(is string) bool { return field(is, 2) <= 1<<20 }},
			Setting{portRange, fmt.Sprintf("%d 65535", lowestPort), "ports of connections that begin here",
				func(is string) bool { return field(is, 1)-field(is, 0) >= 50_000 }})
		lowest, highest = min(lowest, lowestPort), 65535
	}
	ports = slices.DeleteFunc(slices.Clone(ports), func(p int) bool { return uint64(p) < lowest || uint64(p) > highest })
	return append(all, reserved(ports)...)
}

const (
	portRange  = "net.ipv4.ip_local_port_range"
	lowestPort = 10240
)

// reservedPorts is a list, to which ours are added.
const reservedPorts = "net.ipv4.ip_local_reserved_ports"

// reserved keeps our own ports from being taken by a connection that begins
// here while the server is stopped. Those outside the range of such connections
// are safe.
func reserved(ports []int) []Setting {
	list := ""
	for _, p := range ports {
		list += fmt.Sprintf(",%d", p)
	}
	if list == "" {
		return nil
	}
	return []Setting{{reservedPorts, list[1:], "our ports, kept from connections that begin here",
		func(is string) bool { return portsIn(is, ports) }}}
}

func atLeast(name string, want uint64, why string) Setting {
	return Setting{name, fmt.Sprint(want), why, func(is string) bool { return field(is, 0) >= want }}
}
