package wire

import (
	"io"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"time"
)

// limitFiles leaves room for n more descriptors.
func limitFiles(t *testing.T, n int) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	now := was
	now.Cur = uint64(openFiles(t) + n)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was) })
}

// fill takes the descriptors that are left, until give is called.
func fill(t *testing.T) (give func()) {
	t.Helper()
	var taken []int
	for {
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		taken = append(taken, fd)
	}
	give = func() {
		for _, fd := range taken {
			_ = syscall.Close(fd)
		}
		taken = nil
	}
	t.Cleanup(give)
	return give
}

func TestWithoutDescriptorsAllGoesOnAndRecovers(t *testing.T) {
	g, s := real(t, 2, Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	addr := listen(t, s, ListenOptions{New: func() Upper { return &echoer{g: g, move: true} }})
	moved := dial(t, addr)
	waitFor(t, "the connection", func() bool { return g.At(0).Stats().Conns == 1 })
	waiting := rawSocket(t)
	limitFiles(t, 20)
	give := fill(t)

	before := acceptPauses.Value()
	connect(t, waiting, addr)
	waitFor(t, "accept to pause", func() bool { return acceptPauses.Value() > before })
	// juliet is not on loop 0, where the first connection is
	home := "juliet"
	for g.For(home) == g.At(0) {
		home += "t"
	}
	_, _ = moved.Write([]byte(home + "\nbehind"))
	time.Sleep(300 * time.Millisecond)
	pauses := acceptPauses.Value() - before
	if pauses > 10 {
		t.Errorf("accept tried %d times in a moment", pauses)
	}
	give()
	got := make([]byte, len(home)+len("\nbehind"))
	if _, err := io.ReadFull(moved, got); err != nil {
		t.Errorf("the connection that moved without descriptors: read %q, %v", got, err)
	}
	_, _ = syscall.Write(waiting, []byte("hello\n"))
	if n, err := syscall.Read(waiting, got); err != nil || n == 0 {
		t.Errorf("the connection that waited: read %d, %v", n, err)
	}
}

func rawSocket(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	_ = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 20})
	return fd
}

func connect(t testing.TB, fd int, addr string) {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Port: a.Port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
}
