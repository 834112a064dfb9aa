package systemd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager plays systemd's end of the notify socket.
func manager(t *testing.T) (*net.UnixConn, *Notifier) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", "")
	n, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return conn, n
}

// receive reads one datagram and the descriptors that came with it.
func receive(t *testing.T, conn *net.UnixConn) (string, []int) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf, oob := make([]byte, 4096), make([]byte, 4096)
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	if err != nil {
		t.Fatal(err)
	}
	var fds []int
	if oobn > 0 {
		messages, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			t.Fatal(err)
		}
		if fds, err = unix.ParseUnixRights(&messages[0]); err != nil {
			t.Fatal(err)
		}
	}
	return string(buf[:n]), fds
}

func TestStatesReachTheManager(t *testing.T) {
	conn, n := manager(t)
	for _, row := range []struct {
		send func() error
		want string
	}{
		{func() error { return n.Ready("2 domains\nREADY=0") }, "READY=1\nSTATUS=2 domains READY=0"},
		{func() error { return n.Status("busy") }, "STATUS=busy"},
		{n.Reloading, "RELOADING=1\nMONOTONIC_USEC="},
		{n.Stopping, "STOPPING=1"},
		{n.Feed, "WATCHDOG=1"},
		{func() error { return n.Extend(time.Second) }, "EXTEND_TIMEOUT_USEC=1000000"},
		{func() error { return n.RemoveFiles("sessions") }, "FDSTOREREMOVE=1\nFDNAME=sessions"},
	} {
		if err := row.send(); err != nil {
			t.Fatalf("%s: %v", row.want, err)
		}
		if got, _ := receive(t, conn); !strings.HasPrefix(got, row.want) {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
	if got := n.Watchdog(); got != 15*time.Second {
		t.Errorf("watchdog of 30 s: feed every %v, want 15s", got)
	}
	if os.Getenv("NOTIFY_SOCKET") != "" || os.Getenv("WATCHDOG_USEC") != "" {
		t.Error("children would inherit the notify socket")
	}
}

func TestFilesAreStoredWithTheirName(t *testing.T) {
	conn, n := manager(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := n.StoreFiles("state", f, f); err != nil {
		t.Fatal(err)
	}
	got, fds := receive(t, conn)
	for _, fd := range fds {
		unix.Close(fd)
	}
	if got != "FDSTORE=1\nFDNAME=state" || len(fds) != 2 {
		t.Errorf("got %q with %d descriptors, want FDSTORE=1, FDNAME=state with 2", got, len(fds))
	}
	if err := n.StoreFiles("a:b", f); err == nil {
		t.Error("a name with a colon was sent")
	}
}

func TestWithoutManagerNothingHappens(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	n, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	if n.Watchdog() != 0 {
		t.Errorf("watchdog: got %v, want 0", n.Watchdog())
	}
	if err := slices.Concat([]error{n.Ready("x"), n.Feed(), n.StoreFiles("x"), n.Close()}); slices.ContainsFunc(err, func(e error) bool { return e != nil }) {
		t.Errorf("got %v, want no errors", err)
	}
}

func TestManagerThatIsGoneIsTold(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "none"))
	if _, err := Open(); err == nil || !strings.Contains(err.Error(), "NOTIFY_SOCKET") {
		t.Errorf("got %v, want an error that names NOTIFY_SOCKET", err)
	}
}

// TestInherit runs itself again as systemd would: two sockets that listen, a plain
// file and a connected socket from number 3 on, with names.
func TestInherit(t *testing.T) {
	if os.Getenv("MEERKAT_TEST_ADDRS") != "" {
		inheritChild(t)
		return
	}
	var addrs []string
	cmd := exec.Command(os.Args[0], "-test.run=^TestInherit$", "-test.v")
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		addrs, cmd.ExtraFiles = append(addrs, ln.Addr().String()), append(cmd.ExtraFiles, f)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	client, err := net.Dial("tcp", addrs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	session, err := client.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	cmd.ExtraFiles = append(cmd.ExtraFiles, f, session)
	cmd.Env = append(os.Environ(), "LISTEN_FDS=4", "LISTEN_FDNAMES=meerkat.socket:meerkat.socket:state:session",
		"MEERKAT_TEST_ADDRS="+strings.Join(addrs, " "))
	// LISTEN_PID must be the child's own, which only a shell knows in time.
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh"}, cmd.Args...)
	if cmd.Path, err = exec.LookPath("sh"); err != nil {
		t.Fatal(err)
	}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestInherit") {
		t.Fatalf("child: %v\n%s", err, out)
	}
}

func inheritChild(t *testing.T) {
	addrs := strings.Fields(os.Getenv("MEERKAT_TEST_ADDRS"))
	in, err := Inherit()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := in.Take(addrs[1])
	if err != nil || ln == nil || ln.Addr().String() != addrs[1] {
		t.Fatalf("take %s: got %v, %v", addrs[1], ln, err)
	}
	if again, err := in.Take(addrs[1]); again != nil || err != nil {
		t.Errorf("taken twice: got %v, %v", again, err)
	}
	if len(in.Files["state"]) != 1 || len(in.Files["session"]) != 1 {
		t.Errorf("files: got %v, want a state and a session, which does not listen", in.Files)
	}
	if os.Getenv("LISTEN_FDS") != "" {
		t.Error("children would take the sockets again")
	}
	if left := in.Close(); len(left) != 3 || left[0] != addrs[0] {
		t.Errorf("left over: got %v, want %s, state and session", left, addrs[0])
	}
}

func TestUnspecifiedAddressesAreOne(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{":5222", "[::]:5222", true}, {":5222", "0.0.0.0:5222", true}, {":5222", ":5223", false},
		{"127.0.0.1:5222", ":5222", false}, {"127.0.0.1:5222", "127.0.0.1:5222", true}, {"[::1]:5222", "127.0.0.1:5222", false},
	} {
		a, errA := net.ResolveTCPAddr("tcp", row.a)
		b, errB := net.ResolveTCPAddr("tcp", row.b)
		if errA != nil || errB != nil || same(a, b) != row.want {
			t.Errorf("%s and %s: got %v, want %v (%v, %v)", row.a, row.b, !row.want, row.want, errA, errB)
		}
	}
}
