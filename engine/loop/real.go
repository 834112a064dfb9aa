package loop

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"
)

// TCP keepalive: a dead peer is noticed after keepIdle + keepCount*keepEvery.
// XMPP has its own, sooner ones; this is for those that use none.
const (
	keepIdle  = 10 * time.Minute
	keepEvery = 30 * time.Second
	keepCount = 4
)

// New starts loops over gnet, a gnet engine each.
func New(opt Options) (*Group, error) {
	opt.fill()
	g := newGroup(opt, time.Now)
	for i, l := range g.loops {
		if err := startReal(l, opt); err != nil {
			for _, started := range g.loops[:i] {
				started.end()
			}
			return nil, fmt.Errorf("loop: start loop %d of %d: %w", i, opt.Loops, err)
		}
	}
	go g.tickAll()
	return g, nil
}

// tickAll wakes the loops that have timers due or connections to look after.
func (g *Group) tickAll() {
	t := time.NewTicker(Tick)
	defer t.Stop()
	for {
		select {
		case <-g.stopped:
			return
		case now := <-t.C:
			for _, l := range g.loops {
				if l.due.Load() <= g.tick(now) {
					l.deliver(nil)
				}
			}
		}
	}
}

// real drives a loop by a gnet engine with one event loop, of which it is the
// event handler.
//
// The end of a turn is asked for with an eventfd that the event loop polls as
// if it were a connection. gnet's own Execute would not do: what a function
// executes so is run at once after it, before the sockets are looked at again.
type real struct {
	gnet.BuiltinEventEngine
	l      *Loop
	client *gnet.Client
	el     gnet.EventLoop
	epoll  int  // el's epoll descriptor: gnet cannot pause reading
	bell   int  // the eventfd, to write to
	ended  bool // el is gone
}

func startReal(l *Loop, opt Options) error {
	r := &real{l: l}
	l.drv = r
	client, err := gnet.NewClient(r,
		gnet.WithNumEventLoop(1),
		gnet.WithReadBufferCap(opt.ReadBuffer),
		gnet.WithTCPKeepAlive(keepIdle),
		gnet.WithTCPKeepInterval(keepEvery),
		gnet.WithTCPKeepCount(keepCount),
		gnet.WithLogger(gnetLog{opt.Logger}))
	if err != nil {
		return err
	}
	r.client = client
	if err := client.Start(); err != nil {
		return err
	}
	if err := r.hang(); err != nil {
		_ = client.Stop()
		return err
	}
	return nil
}

// hang learns gnet's event loop and its epoll descriptor from a connection made
// for that, and puts the bell in the place of that connection's socket.
func (r *real) hang() error {
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer ours.Close()
	gc, err := r.client.EnrollContext(theirs, r)
	if err != nil {
		return err
	}
	r.el = gc.EventLoop()
	if r.epoll, err = epollOf(gc.Fd()); err != nil {
		return err
	}
	if r.bell, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	return r.replace(gc.Fd())
}

// replace makes fd, which epoll watches, mean the bell.
func (r *real) replace(fd int) error {
	if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_DEL, fd, nil); err != nil {
		return os.NewSyscallError("epoll_ctl del", err)
	}
	if err := unix.Dup3(r.bell, fd, unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("dup3", err)
	}
	ev := unix.EpollEvent{Fd: int32(fd), Events: unix.EPOLLIN}
	return os.NewSyscallError("epoll_ctl add", unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &ev))
}

func socketPair() (a, b net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	a, errA := fileConn(fds[0])
	b, errB := fileConn(fds[1])
	return a, b, errors.Join(errA, errB)
}

// fileConn makes a net.Conn of fd, which it takes over.
func fileConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	return net.FileConn(f)
}

// enroll hands nc to the loop that c goes to, and does not wait for it. m is
// nil for a new connection. The caller has entered.
func (g *Group) enroll(nc net.Conn, c *Conn, m *move) {
	a := &arrival{c: c, m: m, l: c.loop}
	if m != nil {
		a.l = m.to
	}
	forgetZone(nc.LocalAddr())
	forgetZone(nc.RemoteAddr())
	go func() {
		defer g.enrolled.Done()
		awaitDescriptor()
		_, err := a.l.drv.(*real).client.EnrollContext(nc, a)
		if err != nil || !a.opened {
			a.l.Post(func() { a.fail(err) })
		}
	}()
}

// awaitDescriptor waits, not for ever, until the process can open another
// file: gnet closes a socket that it cannot duplicate.
func awaitDescriptor() {
	for range moveTries {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			_ = unix.Close(fd)
		}
		if !noDescriptor(err) {
			return
		}
		time.Sleep(Tick)
	}
}

// enter counts an enrolment, unless the group is stopping.
func (g *Group) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return false
	}
	g.enrolled.Add(1)
	return true
}

// forgetZone takes the zone out of a link-local address: gnet gives the bytes
// of that string, which belong to package net, to a pool of buffers.
func forgetZone(a net.Addr) {
	if t, ok := a.(*net.TCPAddr); ok {
		t.Zone = ""
	}
}

// forgetAddress frees the bytes of an address, which gnet holds for as long as
// the connection lives: some 130 bytes for the two. The remote one is in Conn.
func forgetAddress(a net.Addr) {
	if t, ok := a.(*net.TCPAddr); ok {
		t.IP = nil
	}
}

// arrival is a Conn between two loops, or between accept and its loop.
type arrival struct {
	c      *Conn
	m      *move
	l      *Loop
	opened bool
}

// errEnroll is for a socket that epoll would not take; gnet tells no more.
var errEnroll = errors.New("loop: epoll refused the socket")

func (a *arrival) fail(err error) {
	if err == nil {
		err = errEnroll
	}
	a.c.loop = a.l
	a.l.n.conns++
	a.l.gone(a.c, err)
}

// OnOpen is gnet's: a socket has come.
func (r *real) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	a, ok := gc.Context().(*arrival)
	if !ok {
		return nil, gnet.None
	}
	r.l.begin()
	a.opened = true
	c := a.c
	c.loop, c.sock = r.l, gc
	gc.SetContext(c)
	forgetAddress(gc.LocalAddr())
	forgetAddress(gc.RemoteAddr())
	if a.m != nil {
		c.arrive(a.m)
	} else {
		r.l.n.conns++
		c.open()
	}
	r.l.runLocal()
	return nil, gnet.None
}

// OnTraffic is gnet's: bytes have come, or the bell has been rung.
func (r *real) OnTraffic(gc gnet.Conn) gnet.Action {
	in, _ := gc.Next(-1)
	switch ctx := gc.Context().(type) {
	case *Conn:
		r.l.begin()
		ctx.input(in)
		r.l.runLocal()
	case *real:
		r.l.endTurn()
	}
	return gnet.None
}

// OnClose is gnet's: the other side has ended, or a system call failed. It may
// come from inside Write.
func (r *real) OnClose(gc gnet.Conn, err error) gnet.Action {
	if c, ok := gc.Context().(*Conn); ok {
		r.l.begin()
		if errors.Is(err, io.EOF) {
			err = io.EOF
		}
		r.l.gone(c, err)
	}
	return gnet.None
}

// ring is the number 1, as an eventfd takes it.
var ring = binary.NativeEndian.AppendUint64(nil, 1)

func (r *real) wake() {
	if !r.ended {
		_, _ = unix.Write(r.bell, ring)
	}
}

func (r *real) interest(c *Conn) {
	var events uint32
	if !c.quiet() {
		events = unix.EPOLLIN | unix.EPOLLPRI
	}
	if c.Backlog() > 0 {
		events |= unix.EPOLLOUT
	}
	if gc, ok := c.sock.(gnet.Conn); ok {
		fd := gc.Fd()
		_ = unix.EpollCtl(r.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Fd: int32(fd), Events: events})
	}
}

func (r *real) local(c *Conn) netip.AddrPort {
	sa, err := unix.Getsockname(c.sock.(gnet.Conn).Fd())
	if err != nil {
		return netip.AddrPort{}
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}

func (r *real) shutdown(c *Conn) {
	if gc, ok := c.sock.(gnet.Conn); ok {
		_ = unix.Shutdown(gc.Fd(), unix.SHUT_WR)
	}
}

func (r *real) close(c *Conn, hard bool) {
	gc := c.sock.(gnet.Conn)
	if hard {
		_ = gc.SetLinger(0)
	}
	gc.SetContext(nil) // OnClose is not for us
	_ = r.el.Close(gc)
}

func (r *real) handOver(c *Conn, m *move) error {
	gc := c.sock.(gnet.Conn)
	nc, err := dupConn(gc)
	if err != nil {
		return err
	}
	if !r.l.group.enter() {
		_ = nc.Close()
		return ErrStopped
	}
	c.sock = nil
	gc.SetContext(nil)
	_ = r.el.Close(gc)
	r.l.group.enroll(nc, c, m)
	return nil
}

func dupConn(gc gnet.Conn) (net.Conn, error) {
	fd, err := gc.Dup()
	if err != nil {
		return nil, err
	}
	nc, err := fileConn(fd)
	if err == nil && nc.RemoteAddr() == nil { // gnet would take it amiss
		_ = nc.Close()
		err = unix.ECONNRESET
	}
	return nc, err
}

func (r *real) stop() {
	_ = r.client.Stop() // closes what is connected
	r.ended = true
	_ = unix.Close(r.bell)
	r.l.endTurn() // for the Closed of those, on this goroutine
}

// gnetLog gives gnet's log lines to slog. What gnet says at other levels than
// error is for its developers.
type gnetLog struct{ log *slog.Logger }

func (g gnetLog) Debugf(format string, args ...any) { g.debug(format, args) }
func (g gnetLog) Infof(format string, args ...any)  { g.debug(format, args) }
func (g gnetLog) Warnf(format string, args ...any)  { g.debug(format, args) }
func (g gnetLog) Errorf(format string, args ...any) {
	g.log.Error("loop: gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLog) Fatalf(format string, args ...any) { g.Errorf(format, args...) }

func (g gnetLog) debug(format string, args []any) {
	if g.log.Enabled(context.Background(), slog.LevelDebug) {
		g.log.Debug("loop: gnet: " + fmt.Sprintf(format, args...))
	}
}
