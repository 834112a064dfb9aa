package wire

import (
	"net/netip"

	"meerkat/engine/loop"
)

// Virtual makes a WebSocket without a socket: t carries its frames. secure says
// that the client uses TLS on its way to t. It must be called on l, during a
// turn, and returns nil if the address has too many connections.
func (s *Server) Virtual(l *loop.Loop, t loop.Transport, client netip.Addr, secure bool, up Framed, limit int) *Conn {
	if v := s.gate.enter(client); v != letIn {
		rejected.Add(l.Index, int(v), 1)
		return nil
	}
	w := s.newConn(up, false)
	w.flags |= counted
	if secure {
		w.flags |= fronted
	}
	w.ws = &webSocket{up: up, limit: int32(limit)}
	l.Virtual(t, w, netip.AddrPortFrom(client, 0))
	s.gate.sit(w, l)
	return w
}

// Feed gives a virtual w what its client sent.
func (w *Conn) Feed(frames []byte) { w.c.Feed(frames) }

// End says that the client of a virtual w is gone.
func (w *Conn) End(err error) { w.c.End(err) }

// MessageLimit is how many bytes a message of a WebSocket may have.
func (w *Conn) MessageLimit() int { return int(w.ws.limit) }

// AppendMessage appends a client's frame that is a whole text message. Its mask
// is empty: it does not leave this process.
func AppendMessage(dst, text []byte) []byte {
	at := len(dst)
	dst = appendFrame(dst, opText, len(text))
	dst[at+1] |= maskBit
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, text...)
}

// NextFrame splits what a WebSocket wrote: the payload of the first frame, if
// it is a message, and the rest.
func NextFrame(b []byte) (text []byte, isText bool, rest []byte) {
	at := 2
	size := int(b[1])
	switch size {
	case 126:
		at, size = 4, int(b[2])<<8|int(b[3])
	case 127:
		at, size = 10, int(b[6])<<24|int(b[7])<<16|int(b[8])<<8|int(b[9])
	}
	return b[at : at+size], b[0]&opBits == opText, b[at+size:]
}
