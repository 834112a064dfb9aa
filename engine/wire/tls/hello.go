package tls

import "encoding/binary"

// hello finds the end of the ClientHello, which may be cut into many records,
// and turns down what cannot become one, before anything is spent on it. Each
// byte is looked at once.
type hello struct {
	off  int // of the next record
	got  int // bytes of the message before it
	head [4]byte
}

// scan goes on through in, all that the client has sent, and reports whether
// the message is there in whole.
func (s *hello) scan(in []byte) (bool, error) {
	for !s.whole() {
		body, err := helloRecord(in[s.off:])
		if body == nil || err != nil {
			return false, err
		}
		s.off += headerLen + len(body)
		if s.got < len(s.head) {
			copy(s.head[s.got:], body)
		}
		s.got += len(body)
		if s.head[0] != 1 { // client_hello
			return false, fail(UnexpectedMessage, "first message is no ClientHello")
		}
		if s.got >= len(s.head) && s.size() > maxInput {
			return false, fail(DecodeError, "ClientHello is too long")
		}
	}
	return true, nil
}

func (s *hello) whole() bool { return s.got >= len(s.head) && s.got >= s.size() }

// size is the message's, with its head.
func (s *hello) size() int { return len(s.head) + int(binary.BigEndian.Uint32(s.head[:])&0xffffff) }

// helloRecord returns the body of the unprotected handshake record at the start
// of in, nil if it is not there in whole.
func helloRecord(in []byte) ([]byte, error) {
	if len(in) > 0 && in[0] != typeHandshake {
		if in[0] == typeAlert {
			return nil, &Error{Alert: alertIn(in), Remote: true}
		}
		return nil, fail(UnexpectedMessage, "first record is not of a handshake")
	}
	if len(in) > 1 && in[1] != 3 {
		return nil, fail(ProtocolVersion, "first record is of no known version")
	}
	if len(in) < headerLen {
		return nil, nil
	}
	size := int(binary.BigEndian.Uint16(in[3:]))
	switch {
	case size == 0:
		return nil, fail(UnexpectedMessage, "empty handshake record")
	case size > maxPlain:
		return nil, fail(RecordOverflow, "first record is too long")
	case len(in) < headerLen+size:
		return nil, nil
	}
	return in[headerLen : headerLen+size], nil
}

// alertIn is the alert in an unprotected record, as far as it has come.
func alertIn(rec []byte) Alert {
	if len(rec) > headerLen+1 {
		return Alert(rec[headerLen+1])
	}
	return UserCanceled
}
