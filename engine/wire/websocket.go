package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"meerkat/engine/loop"
)

// Framed is the Upper of a WebSocket, which has messages. Bytes gives the
// payload of one after the other, each in as many pieces as it came.
type Framed interface {
	Upper
	// Message comes behind the last byte of a message.
	Message(w *Conn)
}

// Status codes of a close frame (RFC 6455 §7.4.1) that this side sends.
const (
	closeNormal      = 1000
	closeProtocol    = 1002
	closeUnsupported = 1003
	closeInvalid     = 1007
	closeTooBig      = 1009
)

// CloseError closes a WebSocket whose client broke the rules of RFC 6455. It is
// the status code that the client was told.
type CloseError uint16

func (e CloseError) Error() string {
	switch e {
	case closeUnsupported:
		return "wire: WebSocket message is not text"
	case closeInvalid:
		return "wire: WebSocket message is not UTF-8"
	case closeTooBig:
		return "wire: WebSocket message is too big"
	}
	return "wire: malformed WebSocket frame"
}

var errUpgrade = errors.New("wire: not a connection that can become a WebSocket")

const (
	opContinue = byte(ws.OpContinuation)
	opText     = byte(ws.OpText)
	opBinary   = byte(ws.OpBinary)
	opClose    = byte(ws.OpClose)
	opPing     = byte(ws.OpPing)
	opPong     = byte(ws.OpPong)

	finBit  = 0x80
	rsvBits = 0x70
	opBits  = 0x0F
	maskBit = 0x80

	maxControl = 125 // bytes of payload (RFC 6455 §5.5)
)

// webSocket is the frame layer of a Conn (RFC 6455 §5). An idle one is this
// struct and nothing else.
type webSocket struct {
	up   Framed
	part *loop.Packet // a frame's header, or a control frame, of which the end is missing

	limit int32 // bytes that a message may have
	size  int32 // of the message so far, by the headers of its frames
	left  int32 // bytes of this data frame that Upper has not taken
	clear int32 // bytes of those that have come and are unmasked
	masks uint8 // bytes of this frame that were unmasked before, modulo 4
	open  bool  // a message has begun
	last  bool  // this frame ends it

	mask [4]byte
	rune [3]byte // a character of which the end is missing
	had  uint8   // bytes of it
	code uint16  // to close with; 0: 1000, as nothing is wrong
	mute bool    // the client closed without a code, so nor do we say one
}

// Upgrade writes answer, the last that is said in HTTP, and makes w a WebSocket:
// up takes the place of the Upper and is told Opened. Each Write is a text
// message from then on. A message of the client may have limit bytes.
func (w *Conn) Upgrade(answer []byte, up Framed, limit int) {
	if w.mode == dead {
		return
	}
	if w.ws != nil || w.mode == shaking {
		w.fail(errUpgrade)
		return
	}
	w.Write(answer)
	upgrades.Add(w.index(), 1)
	w.ws = &webSocket{up: up, limit: int32(limit)}
	w.up = up
	up.Opened(w)
}

// Framed reports whether w is a WebSocket.
func (w *Conn) Framed() bool { return w.ws != nil }

// SetMessageLimit bounds the messages to come of a WebSocket, in bytes.
func (w *Conn) SetMessageLimit(limit int) {
	if w.ws != nil {
		w.ws.limit = int32(limit)
	}
}

// frames reads what the client sent, up to where Upper takes no more, and
// returns how many bytes that were.
func (w *Conn) frames(in []byte) (n int) {
	f := w.ws
	for n < len(in) && w.mode != dead {
		if f.left > 0 {
			took, all := w.payload(in[n:])
			if n += took; !all {
				return n
			}
			continue
		}
		frame, used := f.whole(in[n:])
		n += used
		if frame == nil {
			break
		}
		w.begin(frame)
		f.drop()
	}
	return n
}

// whole returns the frame's header, with the payload if it is a control frame,
// at the start of in, and how many bytes of in it used. It returns nil if there
// is not enough, and keeps what there is.
func (f *webSocket) whole(in []byte) (frame []byte, n int) {
	if f.part == nil {
		if need := frameLen(in); need <= len(in) {
			return in[:need], need
		}
		f.part = loop.NewPacket()
	}
	for {
		more := frameLen(f.part.B) - len(f.part.B)
		if more == 0 {
			return f.part.B, n
		}
		more = min(more, len(in)-n)
		if more == 0 {
			return nil, n
		}
		f.part.B = append(f.part.B, in[n:n+more]...)
		n += more
	}
}

func (f *webSocket) drop() {
	if f.part != nil {
		f.part.Release()
		f.part = nil
	}
}

// frameLen returns how many bytes of the frame that begins with b are wanted at
// once, as far as b tells: 2, the header, or a whole control frame.
func frameLen(b []byte) int {
	if len(b) < 2 {
		return 2
	}
	n := 2
	size := int(b[1] &^ maskBit)
	switch size {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if b[1]&maskBit != 0 {
		n += 4
	}
	if b[0]&opBits >= opClose && size <= maxControl {
		n += size
	}
	return n
}

// begin takes a frame's header, with the payload if it is a control frame.
func (w *Conn) begin(b []byte) {
	op, size := b[0]&opBits, uint64(b[1]&^maskBit)
	at := 2
	switch size {
	case 126:
		size, at = uint64(binary.BigEndian.Uint16(b[2:])), 4
		if size < 126 {
			size = badSize // not the shortest form (§5.2)
		}
	case 127:
		size, at = binary.BigEndian.Uint64(b[2:]), 10
		if size < 1<<16 {
			size = badSize
		}
	}
	if code := w.ws.judge(b[0], b[1], size); code != 0 {
		w.closeWith(code)
		return
	}
	mask := [4]byte(b[at : at+4])
	if op >= opClose {
		payload := b[at+4:]
		ws.Cipher(payload, mask, 0)
		w.control(op, payload)
		return
	}
	w.ws.data(b[0]&finBit != 0, mask, int32(size))
	if size == 0 {
		w.endFrame()
	}
}

// badSize is the length of a frame that wrote its length in a wrong way.
const badSize = 1 << 63

// judge holds a header against RFC 6455 §5. It returns the code to close with,
// or 0.
func (f *webSocket) judge(first, second byte, size uint64) CloseError {
	op := first & opBits
	switch {
	case first&rsvBits != 0, second&maskBit == 0, size >= badSize:
		return closeProtocol
	case op >= opClose:
		if op > opPong || first&finBit == 0 || size > maxControl {
			return closeProtocol
		}
		return 0
	case op > opBinary, f.open != (op == opContinue):
		return closeProtocol
	case op == opBinary:
		return closeUnsupported
	case size+uint64(f.size) > uint64(f.limit):
		return closeTooBig
	}
	return 0
}

func (f *webSocket) data(last bool, mask [4]byte, size int32) {
	f.open = true
	f.size += size
	f.last, f.left, f.clear, f.mask, f.masks = last, size, 0, mask, 0
}

// payload gives a piece of a data frame to Upper. It reports how many bytes it
// used, and false if Upper wants no more now.
func (w *Conn) payload(in []byte) (n int, all bool) {
	f := w.ws
	in = in[:min(len(in), int(f.left))]
	if fresh := in[min(int(f.clear), len(in)):]; len(fresh) > 0 {
		ws.Cipher(fresh, f.mask, int(f.masks))
		f.masks = uint8((int(f.masks) + len(fresh)) % 4)
		f.clear = int32(len(in))
		if !f.valid(fresh) {
			w.closeWith(closeInvalid)
			return len(in), false
		}
	}
	n = f.up.Bytes(w, in)
	f.left -= int32(n)
	f.clear -= int32(n)
	if f.left == 0 && w.mode != dead {
		w.endFrame()
	}
	return n, n == len(in)
}

// endFrame tells Upper of a message's end.
func (w *Conn) endFrame() {
	f := w.ws
	if !f.last {
		return
	}
	f.open, f.size = false, 0
	if f.had > 0 {
		w.closeWith(closeInvalid)
		return
	}
	f.up.Message(w)
}

// valid reports whether b goes on with what came before as UTF-8 (RFC 3629).
func (f *webSocket) valid(b []byte) bool {
	for f.had > 0 && len(b) > 0 {
		whole := append(f.rune[:f.had:f.had], b[0])
		b = b[1:]
		switch {
		case utf8.Valid(whole):
			f.had = 0
		case utf8.FullRune(whole):
			return false
		default:
			f.had = uint8(copy(f.rune[:], whole))
		}
	}
	if utf8.Valid(b) {
		return true
	}
	for n := 1; n <= min(3, len(b)); n++ { // an unfinished character at the end
		rest := b[len(b)-n:]
		if utf8.RuneStart(rest[0]) {
			f.had = uint8(copy(f.rune[:], rest))
			return !utf8.FullRune(rest) && utf8.Valid(b[:len(b)-n])
		}
	}
	return false
}

// control takes a control frame (RFC 6455 §5.5).
func (w *Conn) control(op byte, payload []byte) {
	switch op {
	case opPing:
		pings.Add(w.index(), 1)
		w.sayControl(opPong, payload)
	case opClose:
		w.closed(payload)
	}
}

// closed takes the client's close frame (RFC 6455 §5.5.1); ours has the same
// code.
func (w *Conn) closed(payload []byte) {
	f := w.ws
	if len(payload) == 0 {
		f.mute = true
		w.fail(io.EOF)
		return
	}
	if len(payload) == 1 || !closeCode(binary.BigEndian.Uint16(payload)) {
		w.closeWith(closeProtocol)
		return
	}
	if !utf8.Valid(payload[2:]) {
		w.closeWith(closeInvalid)
		return
	}
	f.code = binary.BigEndian.Uint16(payload)
	w.fail(io.EOF)
}

// closeCode reports whether a client may send this code (RFC 6455 §7.4).
func closeCode(c uint16) bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014, c >= 3000 && c <= 4999:
		return true
	}
	return false
}

// closeWith closes a WebSocket whose client broke the rules.
func (w *Conn) closeWith(code CloseError) {
	i := 0
	for i < len(closeErrors)-1 && closeErrors[i] != code {
		i++
	}
	frameErrors.Add(w.index(), i, 1)
	w.ws.code = uint16(code)
	w.fail(code)
}

// closeErrors are the codes of closeWith, in the order of the metric's labels.
var closeErrors = [...]CloseError{closeProtocol, closeUnsupported, closeInvalid, closeTooBig}
