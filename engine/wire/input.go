package wire

import (
	"io"

	"meerkat/engine/loop"
)

// Data is for the loop.
func (w *Conn) Data(_ *loop.Conn, in []byte) {
	w.spend(len(in))
	switch {
	case w.mode == dead:
	case w.flags&fronting != 0:
		w.proxy(in)
	case w.mode == shaking:
		w.shake(in)
	case in == nil:
		w.more()
	case w.mode == secure:
		w.open(in)
	default:
		w.take(in)
	}
	w.settle()
}

// open decrypts in, with the piece of a record that came before it.
func (w *Conn) open(in []byte) {
	if w.raw != nil {
		w.raw.B = append(w.raw.B, in...)
		in = w.raw.B
	}
	sh := w.shard()
	plain, n, reply, err := w.tls.Open(sh.cache, sh.plain[:0], in)
	sh.plain = plain[:0]
	w.keepRaw(in[n:])
	if len(reply) > 0 {
		w.c.Write(reply)
	}
	if len(plain) > 0 {
		w.take(plain)
	}
	switch {
	case err == io.EOF:
		w.flags |= ended
	case err != nil:
		w.fail(err)
	}
}

// keepRaw keeps the piece of a record until there is more of it. in may be the
// end of raw itself.
func (w *Conn) keepRaw(in []byte) {
	switch {
	case len(in) == 0 && w.raw != nil:
		w.raw.Release()
		w.raw = nil
	case len(in) > 0 && w.raw == nil:
		w.raw = loop.NewPacket()
		fallthrough
	case len(in) > 0:
		w.raw.B = append(w.raw.B[:0], in...)
	}
}

// take gives bytes in clear to the Upper and keeps what it does not take.
func (w *Conn) take(in []byte) {
	if w.rest == nil && w.mayRead() {
		in = in[w.bytes(in):]
	}
	if len(in) == 0 || !w.keeps(in) {
		return
	}
	if w.rest == nil {
		w.rest = loop.NewPacket()
	}
	w.rest.B = append(w.rest.B, in...)
}

// more gives the Upper what waits.
func (w *Conn) more() {
	p := w.rest
	if p == nil || !w.mayRead() {
		return
	}
	w.rest = nil
	p.N += uint32(w.bytes(p.B[p.N:]))
	if left := p.B[p.N:]; len(left) > 0 && w.keeps(left) {
		w.rest = p
		return
	}
	p.Release()
}

func (w *Conn) bytes(in []byte) int {
	if w.ws != nil {
		return w.frames(in)
	}
	return w.up.Bytes(w, in)
}

// keeps reports whether bytes that the Upper did not take are for later. Behind
// <starttls/> they are not: they came before TLS did (RFC 6120 §5.4.3.3).
func (w *Conn) keeps(in []byte) bool {
	if w.mode == shaking {
		dropped.Add(w.index(), uint64(len(in)))
	}
	return w.mode != dead && w.mode != shaking
}

// settle brings reading in line with what waits.
func (w *Conn) settle() {
	switch {
	case w.mode == dead:
	case w.rest != nil:
		w.halt(unread)
		if w.mayRead() {
			w.c.Again()
		}
	case w.flags&ended != 0:
		w.fail(io.EOF)
	case w.stop&unread != 0:
		w.proceed(unread)
	}
}
