package tune

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNeedsAndRoomAgree(t *testing.T) {
	for _, l := range []Load{{Sessions: 1}, {15_000, 100, false}, {400_000, 100, true}, {1_000_000, 0, true}, {5_000_000, 500, false}} {
		needs := l.Needs()
		if room := l.Room(needs.Memory); room < l.Sessions-1 || room > l.Sessions+1 {
			t.Errorf("%+v needs %d bytes, which have room for %d", l, needs.Memory, room)
		}
		if more := l.Room(needs.Memory / 2); more >= l.Sessions {
			t.Errorf("%+v: half the memory has room for %d", l, more)
		}
	}
	if n := (Load{TLS: true}).Room(1 << 20); n != 0 {
		t.Errorf("1 MiB has room for %d", n)
	}
	// The aim of the whole: a million sessions over TLS in 24 GB.
	if n := (Load{TLS: true}).Room(24e9); n < 1_000_000 {
		t.Errorf("24 GB have room for %d TLS sessions", n)
	}
}

func TestBoundsAreTightestFirst(t *testing.T) {
	b := box(t, map[string]string{
		"proc/meminfo":                            "MemTotal: 1048576 kB\n",
		"proc/sys/fs/file-max":                    "9223372036854775807\n",
		"proc/sys/net/netfilter/nf_conntrack_max": "262144\n",
	})
	l := Load{TLS: true}
	got := b.Bounds(l, 20_000)
	want := []Bound{
		{"open files of the process", 19_488}, {"memory", l.Room(1 << 30)},
		{"net.netfilter.nf_conntrack_max", 209_712}, {"fs.file-max", maxSessions / 5 * 4},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := box(t, nil).Bounds(l, 100); len(got) != 1 || got[0].Sessions != 0 {
		t.Errorf("100 files and nothing known: %v", got)
	}
}

// kernel is a machine as it comes, with rights to write.
func kernel(t *testing.T) Box {
	return box(t, map[string]string{
		"proc/meminfo":                              meminfo,
		"proc/sys/fs/nr_open":                       "1048576\n",
		"proc/sys/fs/file-max":                      "9223372036854775807\n",
		"proc/sys/net/core/somaxconn":               "4096\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":     "512\n",
		"proc/sys/net/ipv4/tcp_mem":                 "186555\t248741\t373110\n",
		"proc/sys/net/ipv4/tcp_rmem":                "4096\t131072\t6291456\n",
		"proc/sys/net/ipv4/tcp_wmem":                "4096\t16384\t4194304\n",
		"proc/sys/net/ipv4/ip_local_port_range":     "32768\t60999\n",
		"proc/sys/net/ipv4/ip_local_reserved_ports": "8000-8010\n",
	})
}

func TestFixWritesWhatCheckWants(t *testing.T) {
	b, l, ports := kernel(t), Load{Sessions: 2_000_000, TLS: true}, []int{443, 5222, 15222, 40000, 8005}
	done, err := b.Fix(l, ports)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range b.Check(l, ports)[1:] {
		if f.What == "kernel" && !f.Good {
			t.Errorf("after the fix: %s", f.Is)
		}
	}
	want := `# Written by meerkat check -fix for 2000000 sessions.

# limits of open files above it are refused
fs.nr_open = 2000512

# open files of the whole machine
fs.file-max = 9223372036854775807

# connections that wait for accept
net.core.somaxconn = 4096

# connections half open
net.ipv4.tcp_max_syn_backlog = 4096

# pages for bytes under way, of the whole machine
net.ipv4.tcp_mem = 500000 1000000 2000000

# bytes under way to us, of one connection
net.ipv4.tcp_rmem = 4096 16384 1048576

# bytes under way from us, of one connection
net.ipv4.tcp_wmem = 4096 16384 1048576

# ports of connections that begin here
net.ipv4.ip_local_port_range = 10240 65535

# our ports, kept from connections that begin here
net.ipv4.ip_local_reserved_ports = 8000-8010,15222,40000
`
	if got := b.read(t, sysctlFile); got != want {
		t.Errorf("sysctl file:\n%s\nwant:\n%s", got, want)
	}
	if got := b.read(t, unitFile); got != "# Written by meerkat check -fix for 2000000 sessions.\n[Service]\nLimitNOFILE=2000512\n" {
		t.Errorf("unit file:\n%s", got)
	}
	report := strings.Join(done, "\n")
	for _, line := range []string{"wrote " + sysctlFile, "wrote " + unitFile + "; to use it: systemctl daemon-reload", "set fs.nr_open = 2000512"} {
		if !strings.Contains(report, line) {
			t.Errorf("told %q, lacks %q", report, line)
		}
	}
	if strings.Contains(report, "fs.file-max") {
		t.Errorf("set what was good: %q", report)
	}

	// For few, a port that no connection begins from needs nothing.
	for _, f := range kernel(t).Check(Load{Sessions: 1000}, []int{5222, 15222}) {
		if strings.Contains(f.Is, reservedPorts) {
			t.Errorf("for few: %s", f.Is)
		}
	}

	// A second fix, for fewer, takes nothing back that the kernel has by now.
	if done, err = b.Fix(Load{Sessions: 1000}, ports); err != nil || len(done) != 2 {
		t.Errorf("second fix: %q, %v", done, err)
	}
	if is, _ := b.sysctl("fs.nr_open"); is != "2000512" {
		t.Errorf("fs.nr_open fell to %s", is)
	}
}

func (b Box) read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.Root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFixLeavesForeignFilesAlone(t *testing.T) {
	for _, path := range []string{sysctlFile, unitFile} {
		b := kernel(t)
		full := filepath.Join(b.Root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte("# mine\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Fix(Load{Sessions: 2_000_000}, nil); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", path, err)
		}
		if got := b.read(t, path); got != "# mine\n" {
			t.Errorf("%s was overwritten: %q", path, got)
		}
		if is, _ := b.sysctl("fs.nr_open"); is != "1048576" {
			t.Errorf("%s: the kernel was changed all the same", path)
		}
	}
}

func TestFixTellsWhatTheKernelRefuses(t *testing.T) {
	b := kernel(t)
	nr := filepath.Join(b.Root, "proc/sys/fs/nr_open")
	if err := os.Chmod(nr, 0o400); err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(nr, os.O_WRONLY, 0); err == nil {
		f.Close()
		t.Skip("root may write everything")
	}
	if done, err := b.Fix(Load{Sessions: 2_000_000}, nil); err == nil || !strings.Contains(err.Error(), "fs.nr_open") || len(done) < 3 {
		t.Errorf("got %q, %v", done, err)
	}
}

func TestAvailableIsTheTightestOfMachineAndCgroups(t *testing.T) {
	info := "MemTotal: 16777216 kB\nMemAvailable: 8388608 kB\n"
	for name, row := range map[string]struct {
		files            map[string]string
		total, available uint64
	}{
		"machine": {map[string]string{"proc/meminfo": info}, 16 << 30, 8 << 30},
		"cgroup": {map[string]string{
			"proc/meminfo": info, "proc/self/cgroup": "0::/m\n",
			"sys/fs/cgroup/m/memory.max": "1073741824\n", "sys/fs/cgroup/m/memory.current": "805306368\n",
			"sys/fs/cgroup/m/memory.stat": "anon 1\ninactive_file 268435456\n",
		}, 1 << 30, 512 << 20},
		"a cgroup that leaves more than the machine has": {map[string]string{
			"proc/meminfo": info, "proc/self/cgroup": "0::/m\n",
			"sys/fs/cgroup/m/memory.max": "12884901888\n", "sys/fs/cgroup/m/memory.current": "1\n",
		}, 16 << 30, 8 << 30},
		"over its limit": {map[string]string{
			"proc/meminfo": info, "proc/self/cgroup": "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n", "sys/fs/cgroup/memory/memory.usage_in_bytes": "2000\n",
		}, 1000, 0},
		"nothing": {nil, 0, 0},
	} {
		total, available := box(t, row.files).Available()
		if total != row.total || available != row.available {
			t.Errorf("%s: %d of %d, want %d of %d", name, available, total, row.available, row.total)
		}
	}
}

func TestFullness(t *testing.T) {
	for _, row := range []struct {
		p    Pressure
		want float64
	}{
		{Pressure{}, 0},
		{Pressure{Box: 0.46}, 0.5},
		{Pressure{Box: 0.92, Heap: 0.1}, 1},
		{Pressure{Box: 0.1, Heap: 0.8}, 1},
	} {
		if got := row.p.Fullness(0.92); got < row.want-1e-9 || got > row.want+1e-9 {
			t.Errorf("%+v: %v, want %v", row.p, got, row.want)
		}
	}
	p := box(t, map[string]string{"proc/meminfo": "MemTotal: 1000 kB\nMemAvailable: 250 kB\n"}).Pressure(1 << 40)
	if p.Box != 0.75 || p.Heap <= 0 || p.Heap > 0.01 {
		t.Errorf("got %+v", p)
	}
	if p := box(t, nil).Pressure(0); p != (Pressure{}) {
		t.Errorf("nothing known: %+v", p)
	}
}

func TestResident(t *testing.T) {
	r, err := Box{}.Resident()
	if err != nil || r.All == 0 || r.File == 0 || r.File >= r.All || r.Own() != r.All-r.File {
		t.Errorf("got %+v, %v", r, err)
	}
	page := uint64(os.Getpagesize())
	r, err = box(t, map[string]string{"proc/self/statm": "900 300 100 1 0 2 0\n"}).Resident()
	if err != nil || r != (Resident{300 * page, 100 * page}) {
		t.Errorf("got %+v, %v", r, err)
	}
	for _, text := range []string{"", "1 2", "1 x 3", "1 2 x"} {
		if _, err := box(t, map[string]string{"proc/self/statm": text}).Resident(); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

// After a burst memory is given back once, when it is calm, and not again for
// what could not be given back.
func TestKeeperGivesBackOnceAfterABurst(t *testing.T) {
	now, cycles, bytes := time.Unix(1000, 0), uint64(1), uint64(0)
	k := Keeper{read: func() (uint64, uint64) { return cycles, bytes }}
	look := func(after time.Duration, own uint64) bool {
		now = now.Add(after)
		return k.Waste(now, Resident{All: own + 5, File: 5})
	}
	if look(time.Second, 20<<20) || look(time.Minute, 20<<20) {
		t.Error("an idle server at its start")
	}
	burst := uint64(250 << 20)
	for range 5 {
		cycles++
		if look(time.Second, burst) {
			t.Fatal("amid the burst")
		}
	}
	for range 2 * calm / time.Second { // collections are rare where the heap is large
		bytes += much + burst/muchOf + 1
		if look(time.Second, burst) {
			t.Fatal("still amid the burst")
		}
	}
	bytes += much
	if look(calm-time.Second, burst) {
		t.Error("before it is calm")
	}
	if !look(time.Second, burst) {
		t.Error("not when it is calm")
	}
	cycles++ // the collection of giving back itself
	kept := uint64(160 << 20)
	for range 300 {
		if look(time.Second, kept) {
			t.Fatal("again, for what cannot be given back")
		}
	}
	if look(time.Second, kept+kept/4+worth) || !look(time.Second, kept+kept/4+worth+1) {
		t.Error("the next burst is judged by what the last one left")
	}
	large := uint64(4 << 30)
	if look(time.Second, large); look(rest, 2*large) {
		t.Error("a collection of gigabytes twice in half a minute")
	}
	if !look(time.Duration(2*large/perSecond)*time.Second, 2*large) {
		t.Error("never again")
	}
}

func TestTheCollectorsLimitFollowsTheKernel(t *testing.T) {
	const gib = 1 << 30
	gc := GC{Memory: 16 * gib, Limit: 12 * gib}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for _, step := range []struct {
		available, own uint64
		moved          bool
		want           int64
	}{
		{15 * gib, 1 * gib, false, 12 * gib},     // never above the goal
		{8 * gib, 2 * gib, true, 9 * gib},        // the kernel took 6
		{8*gib - gib/8, 2 * gib, false, 9 * gib}, // too little to matter
		{2 * gib, 4 * gib, true, 5 * gib},        //
		{0, 0, true, leastLimit},                 // nothing left
		{14 * gib, 1 * gib, true, 12 * gib},      // they have gone
	} {
		if moved := gc.Follow(16*gib, step.available, step.own, 1.0/16); moved != step.moved || gc.Limit != step.want {
			t.Errorf("%+v: moved %v to %d", step, moved, gc.Limit)
		}
		if step.moved && debug.SetMemoryLimit(-1) != step.want {
			t.Errorf("%+v: the runtime has %d", step, debug.SetMemoryLimit(-1))
		}
	}
	fixed := GC{Memory: 16 * gib, Limit: gib, fixed: true}
	if fixed.Follow(16*gib, 0, 0, 0.08) || fixed.Limit != gib {
		t.Error("GOMEMLIMIT of the environment was changed")
	}
}
