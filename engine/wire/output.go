package wire

import (
	"meerkat/engine/loop"
)

// chunk is how much output, in bytes, is collected before it is written within
// the turn: so much is worth a system call of its own.
const chunk = 64 << 10

// Write adds b, which it copies, to this turn's output. It is a message of its
// own on a WebSocket.
func (w *Conn) Write(b []byte) { w.WriteMessage(b, nil, nil) }

// WriteThrough is Write for what need not wait for the end of the turn: it goes to
// the kernel at once, unless something waits before it.
func (w *Conn) WriteThrough(b []byte) {
	switch {
	case w.out != nil || w.ws != nil || w.mode == shaking:
		w.Write(b)
		return
	case w.mode == inClear:
		w.c.Write(b)
	case w.mode == secure:
		w.seal(b)
	}
	w.relieve()
}

// Ready reports whether WriteThrough would hand what it gets to the kernel at once.
func (w *Conn) Ready() bool {
	return w.out == nil && w.ws == nil && (w.mode == inClear || w.mode == secure) && w.c.Backlog() == 0
}

// buf returns this turn's output to append size bytes to, good until the next call
// of a method of w.
func (w *Conn) buf(size int) *[]byte {
	if w.out == nil {
		w.out = w.c.Loop().NewPacket(size)
		w.c.Dirty()
	} else {
		w.out = w.c.Loop().Grow(w.out, size)
	}
	return &w.out.B
}

// Backlog returns the bytes of output that the kernel has not taken, this
// turn's included.
func (w *Conn) Backlog() int {
	n := w.c.Backlog()
	if w.out != nil {
		n += len(w.out.B)
	}
	return n
}

// flush writes this turn's output. Amid a handshake there is nothing that
// may be said, not even in clear.
func (w *Conn) flush() {
	p := w.out
	if p == nil {
		return
	}
	w.out = nil
	switch w.mode {
	case inClear:
		w.c.Write(p.B)
	case secure:
		w.seal(p.B)
	}
	w.c.Loop().Release(p)
	w.relieve()
}

func (w *Conn) seal(plain []byte) {
	sh := w.shard()
	sealed, err := w.tls.Seal(sh.cache, sh.sealed[:0], plain)
	sh.sealed = sealed[:0]
	w.c.Write(sealed)
	if err != nil {
		w.fail(err)
	}
}

// notify says close_notify (RFC 8446 §6.1).
func (w *Conn) notify() {
	if w.mode == secure {
		sh := w.shard()
		w.c.Write(w.tls.CloseNotify(sh.cache, sh.sealed[:0]))
	}
}

// Blocked reports that so much output waits for the client that its own input
// does: Upper takes no more of it, even amid Bytes, and gets the rest later.
func (w *Conn) Blocked() bool { return w.stop&pressed != 0 }

// relieve judges the backlog: much of it stops this client's own input, too
// much or no progress ends it.
func (w *Conn) relieve() {
	if !w.c.Behind() && w.stop&pressed == 0 {
		return
	}
	n := w.c.Backlog()
	switch opt := &w.srv.opt; {
	case w.mode == dead:
	case n > opt.OutputHard:
		w.tooSlow(0)
	case n > 0 && w.c.StalledFor() > opt.Stall:
		w.tooSlow(1)
	case n > opt.OutputSoft && w.stop&pressed == 0:
		softStops.Add(w.index(), 1)
		w.halt(pressed)
	case n <= opt.OutputSoft/2 && w.stop&pressed != 0:
		w.proceed(pressed)
	}
}

func (w *Conn) tooSlow(why int) {
	slow.Add(w.index(), why, 1)
	w.err = ErrSlow
	w.Abort()
}

// Pressed is for the loop: there is a backlog, or was.
func (w *Conn) Pressed(*loop.Conn) { w.relieve() }
