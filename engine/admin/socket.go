package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// SocketName is the socket's file in the data directory.
const SocketName = "meerkat.sock"

// Listen makes the socket in dir, for the owner of the process alone. Whoever
// calls holds the lock of dir, so a socket that is there already belongs to a
// process that is gone.
func Listen(dir string) (net.Listener, error) {
	path, fresh := filepath.Join(dir, SocketName), SocketName+".new"
	ln, err := listenFresh(dir, fresh)
	if err != nil {
		return nil, fmt.Errorf("admin: listen on %s: %w", path, err)
	}
	// It gets its name when nobody else can open it any more.
	err = os.Chmod(filepath.Join(dir, fresh), 0o600)
	if err == nil {
		err = os.Rename(filepath.Join(dir, fresh), path)
	}
	if err != nil {
		ln.Close()
		return nil, fmt.Errorf("admin: listen on %s: %w", path, err)
	}
	return &listener{ln, path}, nil
}

func listenFresh(dir, name string) (*net.UnixListener, error) {
	if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	addr, done, err := address(dir, name)
	if err != nil {
		return nil, err
	}
	defer done()
	ln, err := net.ListenUnix("unix", addr)
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // its name is about to change
	return ln, nil
}

// listener takes its file away when it closes.
type listener struct {
	*net.UnixListener
	path string
}

func (l *listener) Close() error {
	return errors.Join(l.UnixListener.Close(), os.Remove(l.path))
}

// dial connects to the socket in dir.
func dial(dir string) (net.Conn, error) {
	addr, done, err := address(dir, SocketName)
	if err != nil {
		return nil, err
	}
	defer done()
	return net.DialUnix("unix", nil, addr)
}

// address names a socket in dir by way of an open descriptor, as the whole path
// may be longer than the 107 bytes that fit into an address. It holds until
// done is called.
func address(dir, name string) (addr *net.UnixAddr, done func() error, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), name)
	return &net.UnixAddr{Name: path, Net: "unix"}, d.Close, nil
}
