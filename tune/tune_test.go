package tune

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// box is a machine made of files.
func box(t *testing.T, files map[string]string) Box {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Box{root}
}

const meminfo = "MemTotal:       16777216 kB\nMemFree:         1000000 kB\n"

func TestMemoryIsTheLeastLimitAboveUs(t *testing.T) {
	for name, row := range map[string]struct {
		files   map[string]string
		bytes   uint64
		limited bool
	}{
		"machine": {map[string]string{"proc/meminfo": meminfo}, 16 << 30, false},
		"v2": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/meerkat.service\n",
			"sys/fs/cgroup/system.slice/meerkat.service/memory.max": "2147483648\n",
		}, 2 << 30, true},
		"v2, the parent is tighter": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n",
			"sys/fs/cgroup/a/memory.max": "1073741824\n", "sys/fs/cgroup/a/b/memory.max": "max\n",
		}, 1 << 30, true},
		"v1": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu:/x\n4:memory:/pod/c\n0::/\n",
			"sys/fs/cgroup/memory/pod/c/memory.limit_in_bytes": "536870912\n",
		}, 512 << 20, true},
		"v1 without a limit": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 16 << 30, false},
		"a container that sees only its own root": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/../../docker/abc\n", "sys/fs/cgroup/memory.max": "268435456\n",
		}, 256 << 20, true},
		"a limit above the machine": {map[string]string{
			"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999999\n",
		}, 16 << 30, false},
		"nothing readable": {nil, 0, false},
		"rubbish":          {map[string]string{"proc/meminfo": "MemTotal: many kB\n", "proc/self/cgroup": "0\n:::\n"}, 0, false},
	} {
		bytes, limited := box(t, row.files).Memory()
		if bytes != row.bytes || limited != row.limited {
			t.Errorf("%s: got %d, %v, want %d, %v", name, bytes, limited, row.bytes, row.limited)
		}
	}
}

func TestSetGCLeavesRoomAndObeysTheEnvironment(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	t.Setenv("GOMEMLIMIT", "")

	gc := box(t, map[string]string{"proc/meminfo": meminfo}).SetGC()
	if got := debug.SetMemoryLimit(-1); gc.Limit != 12<<30 || got != gc.Limit {
		t.Errorf("16 GiB machine: told %d, is %d, want %d", gc.Limit, got, int64(12<<30))
	}
	limited := box(t, map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "1000000000"})
	if gc := limited.SetGC(); gc.Limit != 900000000 {
		t.Errorf("cgroup of 1 GB: told %d, want 900000000", gc.Limit)
	}
	if gc := box(t, nil).SetGC(); gc.Limit != 0 {
		t.Errorf("unknown memory: told %d, want 0", gc.Limit)
	}
	debug.SetMemoryLimit(math.MaxInt64)
	t.Setenv("GOMEMLIMIT", "1GiB")
	if gc := limited.SetGC(); gc.Why != "GOMEMLIMIT" || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		t.Errorf("GOMEMLIMIT set: told %+v, is %d", gc, debug.SetMemoryLimit(-1))
	}
}

func TestCheckSaysWhatIsWantedAndWhatToType(t *testing.T) {
	small := box(t, map[string]string{
		"proc/meminfo": "MemTotal: 1048576 kB\n", "proc/sys/fs/nr_open": "1048576\n", "proc/sys/fs/file-max": "100000\n",
		"proc/sys/net/core/somaxconn": "128\n", "proc/sys/net/ipv4/tcp_max_syn_backlog": "4096\n",
	})
	var lines []string
	for _, f := range small.Check(Load{Sessions: 400000, TLS: true}, nil)[1:] {
		lines = append(lines, f.What+" "+f.Is)
		if !f.Good {
			lines = append(lines, "-> "+f.Type)
		}
	}
	want := `kernel fs.nr_open = 1048576
kernel fs.file-max (open files of the whole machine) is 100000, wanted 500640
-> echo 'fs.file-max = 500640' >> /etc/sysctl.d/60-meerkat.conf && sysctl --system, or all at once: meerkat check -fix
kernel net.core.somaxconn (connections that wait for accept) is 128, wanted 4096
-> echo 'net.core.somaxconn = 4096' >> /etc/sysctl.d/60-meerkat.conf && sysctl --system, or all at once: meerkat check -fix
kernel net.ipv4.tcp_max_syn_backlog = 4096
memory 400000 connections need about 3137 MiB, there are 1024
-> `
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNofileFinding(t *testing.T) {
	if f := nofile(65536, 400512); f.Good || f.Is != "400000 connections need 400512 open files, the limit is 65536" ||
		f.Type != "systemctl edit meerkat, add under [Service]: LimitNOFILE=400512" {
		t.Errorf("got %+v", f)
	}
	if f := nofile(400512, 400512); !f.Good || f.Is != "400512 open files, enough for 400000 connections" {
		t.Errorf("got %+v", f)
	}
}

func TestRaiseNofile(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
	low := unix.Rlimit{Cur: min(before.Max, 900), Max: before.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	f, err := RaiseNofile()
	if err != nil || f.Before != low.Cur || f.Limit != before.Max {
		t.Errorf("got %+v, %v, want %d raised to %d", f, err, low.Cur, before.Max)
	}
	var after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &after); err != nil || after.Cur != before.Max {
		t.Errorf("limit is %d, %v, want %d", after.Cur, err, before.Max)
	}
	if got, want := f.Connections(), int(before.Max)-spareFiles; got != want {
		t.Errorf("connections: got %d, want %d", got, want)
	}
	if got := (Files{Limit: 100}).Connections(); got != 0 {
		t.Errorf("100 files: got %d connections, want 0", got)
	}
}

func TestFreeNamesThePathThatFails(t *testing.T) {
	if n, err := Free(t.TempDir()); err != nil || n == 0 {
		t.Errorf("got %d, %v", n, err)
	}
	if _, err := Free("/does/not/exist"); err == nil || !strings.Contains(err.Error(), "/does/not/exist") {
		t.Errorf("got %v", err)
	}
}
