package wire

import (
	"errors"
	"net/netip"
	"time"

	"meerkat/engine/loop"
	"meerkat/engine/wire/tls"
)

// Upper reads and writes XML over a Conn. Every method runs on the Conn's loop.
type Upper interface {
	// Opened comes first: at once, or after the handshake if TLS is direct.
	Opened(w *Conn)
	// Bytes gives XML bytes in clear, borrowed until it returns, and is told
	// how many were taken. Fewer than all may be only after Pause, StartTLS,
	// Move, Close, Abort or Yield, or if the Conn is Blocked. What is left is
	// kept and given again, or dropped after StartTLS, Close and Abort.
	Bytes(w *Conn, in []byte) (n int)
	// Flush comes at the end of a turn in which something was written, before
	// it leaves: the last chance to append.
	Flush(w *Conn)
	// Secured comes when the handshake after StartTLS is done.
	Secured(w *Conn)
	// Closed is the last call. err is nil if this side closed, io.EOF if the
	// other did, ErrSlow, an error of TLS or of the socket. It comes without
	// Opened if a direct handshake did not end well.
	Closed(w *Conn, err error)
}

// ErrSlow closes a client that does not read what it is sent (Options.OutputHard,
// Options.Stall).
var ErrSlow = errors.New("wire: client does not read")

// ErrHandshake closes a client that does not end its handshake
// (Options.Handshake).
var ErrHandshake = errors.New("wire: TLS handshake takes too long")

// errNoTLS is for a client that begins TLS where there is none.
var errNoTLS = errors.New("wire: no TLS configured")

// Conn is a client's connection on its loop. All methods may be called only
// there. After Close and Abort they do nothing.
type Conn struct {
	c    *loop.Conn
	srv  *Server
	up   Upper
	tls  tls.Conn       // in mode secure
	hs   *tls.Handshake // in mode shaking, once there are bytes
	out  *loop.Packet   // this turn's output, in clear
	raw  *loop.Packet   // a TLS record of which the end is missing
	rest *loop.Packet   // bytes in clear that up did not take; N of them it has
	ws   *webSocket     // nil: XML as it comes
	err  error          // why wire closed it

	rate  bucket
	timer loop.Timer // of the handshake, later of rate

	born  uint32 // when the socket came, Unix s
	stop  reason
	mode  mode
	flags flag
}

type mode uint8

const (
	inClear mode = iota
	shaking
	secure
	dead // Close or Abort
)

// reason is why nothing is read.
type reason uint8

const (
	byUpper  reason = 1 << iota // Pause
	unread                      // rest is not empty
	pressed                     // the client does not read
	overRate                    // it sends too much
	tlsFull                     // the handshake has no room
)

type flag uint8

const (
	fromStart flag = 1 << iota // TLS from the first byte
	opened                     // up was told Opened
	counted                    // as unauthenticated, at the gate
	ended                      // the client's close_notify came
	fronting                   // a proxy may still say for whom it comes
	fronted                    // a proxy has TLS with the client
)

// Loop returns the loop w lives on.
func (w *Conn) Loop() *loop.Loop { return w.c.Loop() }

// Remote returns the client's address, without a zone.
func (w *Conn) Remote() netip.Addr { return w.c.Remote().Addr() }

// TLS tells what was agreed on; nil in clear. It allocates: ask once.
func (w *Conn) TLS() *tls.ConnState {
	if w.tls == nil {
		return nil
	}
	st := w.tls.State()
	return &st
}

// Secure reports whether w is under TLS, here or in front of a proxy.
func (w *Conn) Secure() bool { return w.tls != nil || w.flags&fronted != 0 }

// Age returns how long ago the socket came, to a second: before Opened there
// may have been a handshake.
func (w *Conn) Age() time.Duration {
	return time.Duration(uint32(w.Loop().Now().Unix())-w.born) * time.Second
}

// Renew has Age count from now: what came before was somebody else's.
func (w *Conn) Renew() { w.born = uint32(w.Loop().Now().Unix()) }

func (w *Conn) shard() *shard { return &w.srv.shards[w.c.Loop().Index] }
func (w *Conn) index() int    { return w.c.Loop().Index }

// Authenticated ends the counting of w as unauthenticated, and what TLS keeps
// for a login.
func (w *Conn) Authenticated() {
	if w.tls != nil {
		w.tls.Trim()
	}
	if w.flags&counted != 0 {
		w.flags &^= counted
		w.srv.gate.leave(w.Remote(), w)
	}
}

// Pause keeps the client's bytes from Upper, until Resume.
func (w *Conn) Pause() { w.halt(byUpper) }

// Resume undoes Pause. Bytes that wait come in the next turn.
func (w *Conn) Resume() { w.proceed(byUpper) }

// Yield says that Bytes returns early to let others have their turn. The rest
// comes in the next one.
func (w *Conn) Yield() { yields.Add(w.index(), 1) }

func (w *Conn) halt(why reason) {
	w.stop |= why
	if w.mode != dead {
		w.c.Pause()
	}
}

func (w *Conn) proceed(why reason) {
	w.stop &^= why
	if w.mode == dead {
		return
	}
	if w.stop == 0 {
		w.c.Resume()
	}
	if w.rest != nil && w.mayRead() {
		w.c.Again()
	}
}

// mayRead reports whether Upper may be given bytes that have been read. Those
// that were too many for the rate may: it is the next ones that wait.
func (w *Conn) mayRead() bool { return w.stop&^(unread|overRate) == 0 }

// Close writes what there is to write, ends TLS and the connection, and gives
// the client a few seconds to take it.
func (w *Conn) Close() {
	if w.mode == dead {
		return
	}
	if w.ws != nil {
		w.farewell()
	}
	w.flush()
	if w.mode == dead { // it was too much
		return
	}
	w.notify()
	w.mode = dead
	w.c.Close()
}

// Abort closes w at once.
func (w *Conn) Abort() {
	if w.mode != dead {
		w.mode = dead
		w.c.Abort()
	}
}

// fail closes w for an error of the client; Closed will tell it.
func (w *Conn) fail(err error) {
	if w.err == nil {
		w.err = err
	}
	w.Close()
}

// Move takes w to another loop, after this turn's output: TLS, bytes that wait
// and all. From then on w may be used only there, where done runs first.
// Timers of the Upper do not come along. It is not for the time between
// StartTLS and Secured.
func (w *Conn) Move(to *loop.Loop, done func()) {
	switch w.mode {
	case dead:
		return
	case shaking:
		panic("wire: Move amid a handshake")
	}
	w.Loop().Stop(&w.timer)
	if w.tls != nil {
		w.shard().cache.Forget(w.tls)
	}
	w.c.Move(to, func(*loop.Conn) {
		if w.stop&overRate != 0 {
			w.refill()
		}
		done()
		w.proceed(0)
	})
}

// Open is for the loop.
func (w *Conn) Open(c *loop.Conn) {
	w.c, w.born = c, uint32(c.Loop().Now().Unix())
	if len(w.srv.opt.Proxies) > 0 && w.Trusted() {
		w.flags |= fronting
		w.await()
		return
	}
	w.start()
}

// start begins with TLS or without.
func (w *Conn) start() {
	if w.mode == shaking {
		w.await()
		return
	}
	w.flags |= opened
	w.up.Opened(w)
}

// Flush is for the loop.
func (w *Conn) Flush(*loop.Conn) {
	if w.mode != dead && w.flags&opened != 0 {
		w.up.Flush(w)
	}
	w.flush()
}

// Closed is for the loop.
func (w *Conn) Closed(c *loop.Conn, err error) {
	w.c = c // if it never opened
	w.mode = dead
	w.Authenticated()
	w.release()
	if w.err != nil {
		err = w.err
	}
	w.up.Closed(w, err)
}

// release frees what w holds.
func (w *Conn) release() {
	w.Loop().Stop(&w.timer)
	if w.hs != nil {
		w.hs.Abort()
		w.hs = nil
	}
	if w.tls != nil {
		w.shard().cache.Forget(w.tls)
		w.tls.Wipe()
		w.tls = nil
	}
	for _, p := range []**loop.Packet{&w.out, &w.raw, &w.rest} {
		if *p != nil {
			(*p).Release()
			*p = nil
		}
	}
	if w.ws != nil {
		w.ws.drop()
	}
}
