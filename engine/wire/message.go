package wire

import "encoding/binary"

// WriteMessage adds a text message to this turn's output: a, b and c behind one
// another. Without a WebSocket it writes them as they are.
func (w *Conn) WriteMessage(a, b, c []byte) {
	if w.mode == dead {
		return
	}
	out := w.buf(len(a) + len(b) + len(c))
	if w.ws != nil {
		*out = appendFrame(*out, opText, len(a)+len(b)+len(c))
	}
	*out = append(append(append(*out, a...), b...), c...)
	if len(*out) >= chunk {
		w.flush()
	}
}

// sayControl adds a control frame to this turn's output.
func (w *Conn) sayControl(op byte, payload []byte) {
	out := w.buf(len(payload))
	*out = append(appendFrame(*out, op, len(payload)), payload...)
}

// farewell adds the close frame (RFC 6455 §5.5.1).
func (w *Conn) farewell() {
	f := w.ws
	if f.mute {
		w.sayControl(opClose, nil)
		return
	}
	if f.code == 0 {
		f.code = closeNormal
	}
	w.sayControl(opClose, binary.BigEndian.AppendUint16(nil, f.code))
}

// appendFrame appends the header of a frame that is a whole message: servers do
// not mask (RFC 6455 §5.2).
func appendFrame(dst []byte, op byte, size int) []byte {
	dst = append(dst, finBit|op)
	switch {
	case size <= maxControl:
		return append(dst, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(dst, 127), uint64(size))
}
