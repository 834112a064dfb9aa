package wire

import "meerkat/engine/wire/tls"

// StartTLS writes what there is in clear, such as <proceed/>, and takes all
// that the client sends from now on for TLS. Bytes it sent before are dropped.
func (w *Conn) StartTLS() {
	if w.mode != inClear {
		return
	}
	w.flush()
	w.mode = shaking
	w.await()
	if w.rest != nil {
		dropped.Add(w.index(), uint64(len(w.rest.B)-int(w.rest.N)))
		w.rest.Release()
		w.rest = nil
	}
}

// await bounds the time of the handshake that is to come.
func (w *Conn) await() { w.Loop().Set(&w.timer, w.srv.opt.Handshake) }

// shake gives bytes to the handshake, which there is none of for a client that
// says nothing.
func (w *Conn) shake(in []byte) {
	if len(in) == 0 {
		return
	}
	if w.srv.opt.TLS == nil {
		w.fail(errNoTLS)
		return
	}
	if w.hs == nil {
		l := w.Loop()
		w.hs = w.srv.opt.TLS.Handshake(func(h *tls.Handshake) { l.Post(func() { w.shaken(h) }) })
	}
	if room := w.hs.Feed(in); room <= 0 {
		w.halt(tlsFull)
	}
}

// shaken takes what the handshake has to say.
func (w *Conn) shaken(h *tls.Handshake) {
	if w.hs != h || w.mode == dead {
		return
	}
	sh := w.shard()
	say, done, conn, rest, err := h.Take(sh.sealed[:0])
	sh.sealed = say[:0]
	w.c.Write(say)
	switch {
	case err != nil:
		w.hs = nil
		w.fail(err)
	case done:
		w.hs = nil
		w.secured(conn, rest)
	}
	w.proceed(tlsFull)
	w.settle()
}

// secured begins the session; rest of it has come already.
func (w *Conn) secured(conn tls.Conn, rest []byte) {
	w.tls, w.mode = conn, secure
	w.Loop().Stop(&w.timer)
	if w.flags&fromStart != 0 {
		w.flags |= opened
		w.up.Opened(w)
	} else {
		w.up.Secured(w)
	}
	if len(rest) > 0 && w.mode == secure {
		w.open(rest)
	}
}
