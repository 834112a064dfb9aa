package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// socket is the WebSocket of a client (RFC 6455, RFC 7395).
type socket struct {
	open bool   // the server has agreed
	part []byte // the front of an unfinished answer or frame
}

// upgrade asks for a WebSocket.
func (l *loop) upgrade(c *conn) {
	c.phase, c.ws = upgrading, &socket{}
	l.seal(c, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n", l.t.WS, l.t.Domain))
}

// upgraded takes the answer, and returns what stands behind it; false if it is
// not whole, or not one to go on with.
func (l *loop) upgraded(c *conn, b []byte) (rest []byte, ok bool) {
	head, rest, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	switch {
	case !whole && len(b) < len(l.buf):
		return b, false
	case !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")):
		line, _, _ := bytes.Cut(head, []byte("\r\n"))
		l.gone(c, "no WebSocket: "+string(line))
		return nil, false
	}
	c.ws.open = true
	l.open(c)
	return rest, true
}

// frames takes what came over a WebSocket.
func (l *loop) frames(c *conn, b []byte) {
	s, gen := c.ws, c.gen
	if len(s.part) > 0 {
		s.part = append(s.part, b...)
		b = s.part
	}
	if !s.open {
		var ok bool
		if b, ok = l.upgraded(c, b); !ok {
			s.part = keep(s.part, b)
			return
		}
	}
	for {
		first, payload, n := nextFrame(b)
		if n == 0 {
			break
		}
		b = b[n:]
		if l.frame(c, first, payload); c.gen != gen {
			return
		}
	}
	s.part = keep(s.part, b)
}

// nextFrame returns a frame of the server at the front of b, and its length in all,
// 0 if it is not whole. A server's frames have no mask.
func nextFrame(b []byte) (first byte, payload []byte, n int) {
	if len(b) < 2 {
		return 0, nil, 0
	}
	at, size := 2, uint64(b[1])
	switch {
	case size == 126 && len(b) >= 4:
		at, size = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case size == 127 && len(b) >= 10:
		at, size = 10, binary.BigEndian.Uint64(b[2:])
	case size > 125:
		return 0, nil, 0
	}
	if uint64(len(b)-at) < size {
		return 0, nil, 0
	}
	n = at + int(size)
	return b[0], b[at:n], n
}

const (
	wholeText = 0x81 // FIN, and the opcode of a text message
	closing   = 0x88
)

// frame takes a frame: a whole message, as servers here send them.
func (l *loop) frame(c *conn, first byte, payload []byte) {
	switch {
	case first == closing, bytes.HasPrefix(payload, []byte("<close ")):
		l.gone(c, "closed by the server")
	case first != wholeText:
		l.gone(c, "not XMPP over WebSocket")
	case !bytes.HasPrefix(payload, []byte("<open ")):
		l.xml(c, payload)
	}
}

// framed appends the elements of a stream as a WebSocket has them: each is a
// message, and says its namespace itself.
func framed(dst, b []byte) []byte {
	for {
		e, el, n := next(b)
		if e == incomplete || e == malformed {
			return dst
		}
		b = b[n:]
		switch e {
		case header:
			dst = appendFrame(dst, fmt.Appendf(nil, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='%s' version='1.0'/>", attr(el, "to")))
		case streamEnd:
			dst = appendFrame(dst, []byte("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"))
		default:
			dst = appendFrame(dst, el)
		}
	}
}

// mask is every frame's. A server cannot tell, and has to undo it all the same.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

const clientSpace = " xmlns='jabber:client'"

// appendFrame appends a frame with an element, masked.
func appendFrame(dst, el []byte) []byte {
	at := 1
	for el[at] != ' ' && el[at] != '>' && el[at] != '/' {
		at++
	}
	space := ""
	if is(el, "message") || is(el, "presence") || is(el, "iq") {
		space = clientSpace
	}
	switch size := len(el) + len(space); {
	case size < 126:
		dst = append(dst, wholeText, 0x80|byte(size))
	case size < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, wholeText, 0x80|126), uint16(size))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, wholeText, 0x80|127), uint64(size))
	}
	dst = append(dst, mask[:]...)
	from := len(dst)
	dst = append(append(append(dst, el[:at]...), space...), el[at:]...)
	text := dst[from:]
	for len(text) >= 4 {
		binary.LittleEndian.PutUint32(text, binary.LittleEndian.Uint32(text)^binary.LittleEndian.Uint32(mask[:]))
		text = text[4:]
	}
	for i := range text {
		text[i] ^= mask[i]
	}
	return dst
}
