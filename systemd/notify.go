// Package systemd talks to the service manager that started us: readiness,
// watchdog, listening sockets and descriptors kept over a restart. Without
// systemd everything here does nothing. It knows nothing of what is served.
//
// The folder also holds what is installed: units, user, directories and the
// sample configuration.
package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Notifier sends states to the service manager (sd_notify(3)). Its socket stays
// open, so the watchdog is fed also when no descriptor is left. The zero
// Notifier has nobody to tell and does nothing.
type Notifier struct {
	conn     *net.UnixConn
	watchdog time.Duration
}

// Open connects to the manager named by the environment, which it clears, so
// that no child speaks for us. Without a manager the Notifier does nothing.
func Open() (*Notifier, error) {
	interval, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		return nil, fmt.Errorf("systemd: WATCHDOG_USEC: %w", err)
	}
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return &Notifier{}, nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("systemd: NOTIFY_SOCKET: %w", err)
	}
	return &Notifier{conn, interval}, os.Unsetenv("NOTIFY_SOCKET")
}

// Managed reports whether there is a manager.
func (n *Notifier) Managed() bool { return n.conn != nil }

// Watchdog is how often Feed must be called at least, with half of the
// manager's patience in reserve. It is 0 without a watchdog.
func (n *Notifier) Watchdog() time.Duration { return n.watchdog / 2 }

// Ready says that start or reload is done. status is shown by systemctl.
func (n *Notifier) Ready(status string) error {
	return n.send(daemon.SdNotifyReady, "STATUS="+oneLine(status))
}

// Status changes what systemctl shows.
func (n *Notifier) Status(status string) error { return n.send("STATUS=" + oneLine(status)) }

// Reloading says that a reload began. Ready must follow.
func (n *Notifier) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("systemd: monotonic clock: %w", err)
	}
	return n.send(daemon.SdNotifyReloading, "MONOTONIC_USEC="+strconv.FormatInt(now.Nano()/1000, 10))
}

// Stopping says that the drain began.
func (n *Notifier) Stopping() error { return n.send(daemon.SdNotifyStopping) }

// Feed says that all is well, for the watchdog.
func (n *Notifier) Feed() error { return n.send(daemon.SdNotifyWatchdog) }

// Extend asks for d more before a start or stop counts as failed, for work that
// may take long, such as a migration.
func (n *Notifier) Extend(d time.Duration) error {
	return n.send("EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(d.Microseconds(), 10))
}

// StoreFiles gives copies of files to the manager, which hands them to the next
// process of the service under name (see Inherit). The unit needs
// FileDescriptorStoreMax.
func (n *Notifier) StoreFiles(name string, files ...*os.File) error {
	if n.conn == nil {
		return nil
	}
	if err := checkName(name); err != nil {
		return err
	}
	fds := make([]int, len(files))
	for i, f := range files {
		fds[i] = int(f.Fd())
	}
	if err := n.sendRights("FDSTORE=1\nFDNAME="+name, fds); err != nil {
		return fmt.Errorf("systemd: store %d descriptors as %s: %w", len(files), name, err)
	}
	return nil
}

// sendRights sends a state with descriptors. Package net refuses to do so on a
// datagram socket that is connected.
func (n *Notifier) sendRights(state string, fds []int) error {
	raw, err := n.conn.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), []byte(state), unix.UnixRights(fds...), nil, 0)
		return sent != unix.EAGAIN
	})
	return errors.Join(err, sent)
}

// RemoveFiles makes the manager forget what was stored under name.
func (n *Notifier) RemoveFiles(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return n.send("FDSTOREREMOVE=1", "FDNAME="+name)
}

// Close ends the connection. The manager notices nothing.
func (n *Notifier) Close() error {
	if n.conn == nil {
		return nil
	}
	return n.conn.Close()
}

func (n *Notifier) send(states ...string) error {
	if n.conn == nil {
		return nil
	}
	if _, err := n.conn.Write([]byte(strings.Join(states, "\n"))); err != nil {
		return fmt.Errorf("systemd: notify %s: %w", states[0], err)
	}
	return nil
}

// oneLine keeps a status from becoming a state of its own.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }

// checkName wants a name that survives in LISTEN_FDNAMES.
func checkName(name string) error {
	if name == "" || len(name) > 255 || strings.ContainsAny(name, ":\n") {
		return errors.New("systemd: bad name for descriptors: " + strconv.Quote(name))
	}
	return nil
}
