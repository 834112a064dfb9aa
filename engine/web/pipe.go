package web

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"meerkat/engine/loop"
)

// window is how many bytes may be on their way from net/http to the client,
// inWindow how many the other way.
const (
	window   = 256 << 10
	inWindow = 64 << 10
)

// pipe is the connection that net/http sees. Its other end is a conn on a loop.
// Methods of net.Conn are for net/http's goroutines, the others for the loop.
type pipe struct {
	c               *conn
	loop            *loop.Loop
	remote          net.Addr
	secure, trusted bool

	mu      sync.Mutex
	changed sync.Cond
	in      []byte // from the client, of which the first taken bytes are done with
	taken   int
	out     int  // bytes to the client that the kernel has not taken
	gone    bool // the client is
	closed  bool // by net/http
	full    bool // the loop waits until in has room
	read    deadline
	write   deadline
}

// deadline is when a Read or Write gives up.
type deadline struct {
	at    time.Time // zero: never
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newPipe(c *conn) *pipe {
	p := &pipe{
		c: c, loop: c.w.Loop(), secure: c.w.Secure(), trusted: c.w.Trusted(),
		remote: net.TCPAddrFromAddrPort(netip.AddrPortFrom(c.w.Remote(), 0)),
	}
	p.changed.L = &p.mu
	return p
}

// feed gives net/http bytes of the client. It reports false if that is enough
// for now; then resume is called on the loop.
func (p *pipe) feed(b []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.in)+len(b) > cap(p.in) { // use the space again before there is more of it
		p.in, p.taken = p.in[:copy(p.in, p.in[p.taken:])], 0
	}
	p.in = append(p.in, b...)
	p.full = p.waiting() > inWindow
	p.changed.Broadcast()
	return !p.full
}

// waiting is how many bytes net/http has still to read.
func (p *pipe) waiting() int { return len(p.in) - p.taken }

// rest gives back the memory of a request that has been answered.
func (p *pipe) rest() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting() == 0 {
		p.in, p.taken = nil, 0
	}
}

// end tells net/http that the client is gone.
func (p *pipe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.changed.Broadcast()
}

// drained tells net/http how many bytes the kernel has not taken.
func (p *pipe) drained(left int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = left
	p.changed.Broadcast()
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.closed:
			return 0, net.ErrClosed
		case p.read.passed():
			return 0, os.ErrDeadlineExceeded
		case p.waiting() > 0:
			return p.take(b), nil
		case p.gone:
			return 0, io.EOF
		case len(b) == 0:
			return 0, nil
		}
		p.changed.Wait()
	}
}

func (p *pipe) take(b []byte) int {
	n := copy(b, p.in[p.taken:])
	p.taken += n
	if p.waiting() == 0 {
		p.in, p.taken = p.in[:0], 0
	}
	if p.full && p.waiting() <= inWindow/2 {
		p.full = false
		p.loop.Post(p.c.resume)
	}
	return n
}

func (p *pipe) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		piece := b[:min(len(b), window/4)]
		if err := p.room(len(piece)); err != nil {
			return n, err
		}
		k := loop.NewPacket()
		k.B = append(k.B, piece...)
		p.loop.Post(func() {
			p.c.send(k.B)
			k.Release()
		})
		n += len(piece)
		b = b[len(piece):]
	}
	return n, nil
}

// room waits until n bytes more may be on their way.
func (p *pipe) room(n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.closed:
			return net.ErrClosed
		case p.gone:
			return io.ErrClosedPipe
		case p.write.passed():
			return os.ErrDeadlineExceeded
		case p.out+n <= window || p.out == 0:
			p.out += n
			return nil
		}
		p.changed.Wait()
	}
}

func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.closed = true
	p.in, p.taken = nil, 0
	p.read.stop()
	p.write.stop()
	p.changed.Broadcast()
	p.loop.Post(p.c.finish)
	return nil
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

// set has a waiting call look at the deadline when it has passed.
func (p *pipe) set(d *deadline, t time.Time) {
	d.stop()
	d.at = t
	if after := time.Until(t); !t.IsZero() && after > 0 {
		d.timer = time.AfterFunc(after, p.changed.Broadcast)
	}
	p.changed.Broadcast()
}

func (p *pipe) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(&p.read, t)
	return nil
}

func (p *pipe) SetWriteDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(&p.write, t)
	return nil
}

func (p *pipe) SetDeadline(t time.Time) error {
	_ = p.SetReadDeadline(t)
	return p.SetWriteDeadline(t)
}

func (p *pipe) LocalAddr() net.Addr  { return &net.TCPAddr{} }
func (p *pipe) RemoteAddr() net.Addr { return p.remote }

// queue is the listener that net/http accepts pipes from.
type queue struct {
	mu     sync.Mutex
	ready  sync.Cond
	pipes  []*pipe
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.ready.L = &q.mu
	return q
}

func (q *queue) put(p *pipe) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pipes = append(q.pipes, p)
	q.ready.Signal()
}

// Accept is net.Listener's.
func (q *queue) Accept() (net.Conn, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.pipes) == 0 {
		if q.closed {
			return nil, net.ErrClosed
		}
		q.ready.Wait()
	}
	p := q.pipes[0]
	q.pipes = q.pipes[1:]
	return p, nil
}

// Close is net.Listener's.
func (q *queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ready.Broadcast()
	return nil
}

// Addr is net.Listener's.
func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }
