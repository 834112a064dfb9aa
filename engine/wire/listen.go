package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// acceptPause is how long accepting rests when the system has no descriptor.
// logEvery is how often that is said.
const (
	acceptPause = 200 * time.Millisecond
	logEvery    = time.Minute
)

// Bind listens on a TCP address as this server wants it: without MPTCP, and
// without a keepalive of Go's choice; the loops set their own.
func Bind(addr string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	return lc.Listen(context.Background(), "tcp", addr)
}

// ListenOptions of a Listener.
type ListenOptions struct {
	DirectTLS bool         // TLS from the first byte
	New       func() Upper // called for each connection, on the Listener's goroutine
}

// Listener accepts connections on a goroutine of its own.
type Listener struct {
	srv  *Server
	ln   net.Listener
	opt  ListenOptions
	log  throttled
	quit chan struct{}
	once sync.Once
	done chan struct{}
}

// Listen accepts from ln, bound by Bind or inherited, until Close. The sockets
// are spread over the loops, except those that are closed because there are too
// many that have not authenticated.
func (s *Server) Listen(ln net.Listener, opt ListenOptions) *Listener {
	l := &Listener{srv: s, ln: ln, opt: opt, log: throttled{log: s.opt.Logger},
		quit: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

// Addr returns the address listened on.
func (l *Listener) Addr() net.Addr { return l.ln.Addr() }

// Close stops listening. Connections accepted stay.
func (l *Listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		close(l.quit)
		err = l.ln.Close()
		<-l.done
	})
	return err
}

func (l *Listener) run() {
	defer close(l.done)
	for {
		nc, err := l.ln.Accept()
		switch {
		case err == nil:
			l.letIn(nc)
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, syscall.ECONNABORTED): // it gave up waiting
		case !l.rest(err):
			return
		}
	}
}

// rest waits after an error that trying again at once would only repeat. It
// reports false if the Listener is closed meanwhile.
func (l *Listener) rest(err error) bool {
	acceptPauses.Add(0, 1)
	l.log.warn("wire: cannot accept connections, trying again; if files are short, raise LimitNOFILE",
		"listen", l.ln.Addr().String(), "error", err)
	select {
	case <-l.quit:
		return false
	case <-time.After(acceptPause):
		return true
	}
}

func (l *Listener) letIn(nc net.Conn) {
	if v := l.srv.gate.enter(addrOf(nc)); v != letIn {
		rejected.Add(0, int(v), 1)
		_ = nc.Close()
		return
	}
	accepted.Add(0, 1)
	w := l.srv.newConn(l.opt.New(), l.opt.DirectTLS)
	w.flags |= counted
	to := l.srv.pick()
	l.srv.gate.sit(w, to)
	l.srv.group.Adopt(nc, to, w)
}

// addrOf is what Conn.Remote will say.
func addrOf(nc net.Conn) netip.Addr {
	if t, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// throttled logs a line at most every minute, and says how many it left out.
type throttled struct {
	log  *slog.Logger
	last time.Time
	left int
}

func (t *throttled) warn(msg string, args ...any) {
	now := time.Now()
	if now.Sub(t.last) < logEvery {
		t.left++
		return
	}
	t.log.Warn(msg, append(args, "repeated", t.left)...)
	t.last, t.left = now, 0
}
