package load

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// sources is how many addresses of 127.0.0.0/8 clients of a loopback server
// come from, so that neither ports nor limits of one address end the run.
const sources = 200

// dial begins to connect user n's socket.
func (t *Target) dial(n int) (int, error) {
	to, err := netip.ParseAddrPort(t.Addr)
	if err != nil || !to.Addr().Is4() {
		return -1, fmt.Errorf("load: %q is not an IPv4 address and port", t.Addr)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fd, fmt.Errorf("TCP_NODELAY: %w", err)
	}
	if to.Addr().IsLoopback() {
		if err := bindSource(fd, n); err != nil {
			return fd, err
		}
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
	if err != nil && err != unix.EINPROGRESS {
		return fd, fmt.Errorf("connect: %w", err)
	}
	return fd, nil
}

// bindSource chooses the address, and leaves the port to connect, which takes
// one that is free for this destination.
func bindSource(fd, n int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return fmt.Errorf("IP_BIND_ADDRESS_NO_PORT: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 1, byte(1 + n%sources)}}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}
