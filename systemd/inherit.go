package systemd

import (
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
)

// Inherited is what the service manager opened or kept for this process.
type Inherited struct {
	Listeners []net.Listener        // sockets that listen: meerkat.socket
	Files     map[string][]*os.File // all else, by name: what StoreFiles kept
}

// Inherit takes over the descriptors that the environment tells of, which it
// clears. They close on exec.
func Inherit() (*Inherited, error) {
	in := &Inherited{Files: map[string][]*os.File{}}
	for _, f := range activation.Files(true) {
		if !listens(f) {
			in.Files[f.Name()] = append(in.Files[f.Name()], f)
			continue
		}
		ln, err := net.FileListener(f)
		f.Close() // FileListener has made a copy
		if err != nil {
			return nil, fmt.Errorf("systemd: inherited socket %s: %w", f.Name(), err)
		}
		in.Listeners = append(in.Listeners, ln)
	}
	return in, nil
}

// listens tells a socket that listens from one that is connected, which package
// net would take for a listener too.
func listens(f *os.File) bool {
	v, err := unix.GetsockoptInt(int(f.Fd()), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && v == 1
}

// Take gives away the listener that stands at addr, written host:port as in the
// configuration, or nil. A configured address without a host means every
// address of the box, as a socket unit means it that names only a port.
func (in *Inherited) Take(addr string) (net.Listener, error) {
	want, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("systemd: address %s: %w", addr, err)
	}
	for i, ln := range in.Listeners {
		if at, ok := ln.Addr().(*net.TCPAddr); ok && same(at, want) {
			in.Listeners = append(in.Listeners[:i], in.Listeners[i+1:]...)
			return ln, nil
		}
	}
	return nil, nil
}

// same compares addresses; all unspecified ones (0.0.0.0, [::], none) are one.
func same(a, b *net.TCPAddr) bool {
	anyA, anyB := len(a.IP) == 0 || a.IP.IsUnspecified(), len(b.IP) == 0 || b.IP.IsUnspecified()
	return a.Port == b.Port && (anyA && anyB || a.IP.Equal(b.IP))
}

// Close closes what nobody took and says what that was.
func (in *Inherited) Close() (left []string) {
	for _, ln := range in.Listeners {
		left = append(left, ln.Addr().String())
		ln.Close()
	}
	for name, files := range in.Files {
		for _, f := range files {
			left = append(left, name)
			f.Close()
		}
	}
	in.Listeners, in.Files = nil, nil
	return left
}
