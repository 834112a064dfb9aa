package load

import (
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// phase is where a client is, from offline to online (RFC 6120 sections 4-7).
type phase uint8

const (
	offline     phase = iota
	connecting        // TCP
	handshaking       // TLS
	upgrading         // the answer of HTTP is awaited
	opening           // features are awaited
	securing          // <proceed/> is awaited
	registering       // the answer to XEP-0077 is awaited
	proving           // SASL's end is awaited
	binding           // the full JID is awaited
	settling          // the session or roster is awaited
	online
	leaving // the server's </stream:stream> is awaited
)

// awaits is what a client in a phase waits for.
var awaits = [...]string{
	connecting: "TCP", handshaking: "TLS", upgrading: "WebSocket", opening: "stream features", securing: "proceed", registering: "registration", proving: "SASL",
	binding: "bind", settling: "session or roster", leaving: "the end of the stream",
}

// conn is a client. An idle one owns no buffer, and of TLS two secrets.
type conn struct {
	fd     int32
	i      int32 // its place in the loop
	gen    int32 // told to epoll, so that events of a closed socket are known
	phase  phase
	jid    string   // full JID
	in     []byte   // the front of an unfinished element
	out    []byte   // what the kernel has not taken
	tls    *session // nil in clear
	ws     *socket  // nil over TCP
	login  *login   // nil when online
	talk   talk
	change change
	// Stream management: whether it is on, and the stanzas that came since.
	managed bool
	handled uint32
}

// readable takes what the kernel has for c.
func (l *loop) readable(c *conn) {
	n, err := unix.Read(int(c.fd), l.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
	case err != nil:
		l.gone(c, err.Error())
	case n == 0:
		l.gone(c, "closed by the server")
	default:
		l.arrived(c, l.buf[:n])
	}
}

// arrived takes bytes off the wire and says what there is to answer.
func (l *loop) arrived(c *conn, b []byte) {
	switch {
	case c.phase == handshaking:
		if err := c.login.handshake.feed(b); err != nil {
			l.gone(c, err.Error())
		}
	case c.tls != nil:
		l.decrypt(c, b)
	default:
		l.text(c, b)
	}
	l.flush(c)
}

// text takes what there is below TLS.
func (l *loop) text(c *conn, b []byte) {
	if c.ws != nil {
		l.frames(c, b)
		return
	}
	l.xml(c, b)
}

func (l *loop) decrypt(c *conn, b []byte) {
	s := c.tls
	if len(s.in) > 0 {
		s.in = append(s.in, b...)
		b = s.in
	}
	clear, n, err := s.open(l.ciphers.of(int(c.i), s), l.clear[:0], b)
	l.clear = clear
	s.in = keep(s.in, b[n:])
	l.text(c, clear)
	if err == io.EOF {
		l.gone(c, "closed by the server")
	} else if err != nil {
		l.gone(c, err.Error())
	}
}

// keep holds the unused end of what was read, in old's memory if it is there;
// nothing is held for nothing.
func keep(old, rest []byte) []byte {
	if len(rest) == 0 {
		return nil
	}
	return append(old[:0], rest...)
}

// xml takes the whole elements of b.
func (l *loop) xml(c *conn, b []byte) {
	l.stats.BytesIn += uint64(len(b))
	if len(c.in) > 0 {
		c.in = append(c.in, b...)
		b = c.in
	}
	for gen := c.gen; ; {
		e, el, n := next(b)
		b = b[n:]
		if e == incomplete {
			break
		}
		l.event(c, e, el)
		if c.gen != gen {
			return
		}
		if c.phase == handshaking { // what stands behind <proceed/> is no XML
			b = nil
		}
	}
	c.in = keep(c.in, b)
}

func (l *loop) event(c *conn, e event, el []byte) {
	switch e {
	case streamEnd:
		l.gone(c, "closed by the server")
	case malformed:
		l.gone(c, "not XMPP")
	case element:
		if c.phase >= online {
			l.stanza(c, el)
		} else {
			l.negotiate(c, el)
		}
	}
}

// flush writes what was said to c while its bytes were handled.
func (l *loop) flush(c *conn) {
	if len(l.out) > 0 {
		l.write(c, l.out)
		l.out = l.out[:0]
	}
}

// write sends XML.
func (l *loop) write(c *conn, b []byte) {
	l.stats.BytesOut += uint64(len(b))
	if c.ws != nil {
		l.framed = framed(l.framed[:0], b)
		b = l.framed
	}
	l.seal(c, b)
}

// seal sends what there is below TLS.
func (l *loop) seal(c *conn, b []byte) {
	if c.tls != nil {
		l.sealed = c.tls.seal(l.ciphers.of(int(c.i), c.tls), l.sealed[:0], b)
		b = l.sealed
	}
	l.send(c, b)
}

// send gives bytes to the kernel, and keeps what it does not take.
func (l *loop) send(c *conn, b []byte) {
	if c.phase == offline {
		return
	}
	if len(c.out) == 0 {
		n, err := unix.Write(int(c.fd), b)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			l.gone(c, err.Error())
			return
		}
		b = b[max(n, 0):]
	}
	if len(b) > 0 {
		c.out = append(c.out, b...)
		l.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLOUT)
	}
}

// writable goes on with what the kernel did not take.
func (l *loop) writable(c *conn) {
	if c.phase == connecting {
		l.connected(c)
		return
	}
	b := c.out
	c.out = nil
	l.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLIN)
	if len(b) > 0 {
		l.send(c, b)
	}
}

// gone ends a client that was not asked to leave, or has left.
func (l *loop) gone(c *conn, why string) {
	switch {
	case c.phase == offline:
		return
	case c.phase == leaving:
	case c.phase == online:
		l.online--
		count(&l.stats.Dropped, why, 1)
	default:
		l.loggingIn--
		count(&l.stats.Failed, why, 1)
	}
	l.drop(c)
	l.freed = true
}

// drop frees all that a client holds.
func (l *loop) drop(c *conn) {
	unix.Close(int(c.fd))
	if c.login != nil && c.login.handshake != nil {
		c.login.handshake.abort()
	}
	*c = conn{fd: -1, i: c.i, gen: c.gen + 1, talk: c.talk, change: c.change}
}

// watch tells epoll what to report of c.
func (l *loop) watch(c *conn, op int, events uint32) {
	ev := unix.EpollEvent{Events: events, Fd: c.i, Pad: c.gen}
	if err := unix.EpollCtl(l.epoll, op, int(c.fd), &ev); err != nil {
		l.gone(c, err.Error())
	}
}

// now is the time since the package was loaded, by the monotonic clock.
func now() time.Duration { return time.Since(epoch) }

var epoch = time.Now()
