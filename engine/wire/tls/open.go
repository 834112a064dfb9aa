package tls

import (
	"encoding/binary"
	"io"
	"slices"
)

// Content types (RFC 8446 §5.1).
const (
	typeCCS       = 20
	typeAlert     = 21
	typeHandshake = 22
	typeData      = 23
)

const (
	headerLen  = 5
	maxPlain   = 1 << 14        // content of one record
	maxCipher  = maxPlain + 256 // a protected record's body (RFC 8446 §5.2)
	maxCipher2 = maxPlain + 2048
)

// maxIdle is how many records in a row may bring no application data: empty
// ones, KeyUpdates, warnings. More is somebody wasting our time.
const maxIdle = 16

// Open implements Conn.
func (k *conn) Open(c *Cache, dst, in []byte) (plain []byte, n int, reply []byte, err error) {
	if k.has(failed) {
		return dst, 0, nil, ErrClosed
	}
	for !k.has(inClosed) {
		size, err := k.frame(in[n:])
		if err == nil && size > 0 {
			dst, err = k.openRecord(c, dst, in[n:n+size])
		}
		if err != nil {
			return dst, n, k.giveUp(c, err), err
		}
		if size == 0 {
			return dst, n, k.updates(c), nil
		}
		n += size
	}
	return dst, len(in), k.updates(c), io.EOF // RFC 8446 §6.1: what follows is ignored
}

// frame returns how long the record at the start of in is, 0 if it is not there
// in whole. What is wrong with a header is said before the body has come.
func (k *conn) frame(in []byte) (int, error) {
	if len(in) < headerLen {
		return 0, nil
	}
	size := int(binary.BigEndian.Uint16(in[3:]))
	if k.suite().tls13() {
		// The version in it is to be ignored (RFC 8446 §5.1).
		if in[0] != typeData {
			return 0, fail(UnexpectedMessage, "unprotected record in a protected session")
		}
		if size > maxCipher {
			return 0, fail(RecordOverflow, "record is too long")
		}
	} else {
		if in[1] != 3 || in[2] != 3 {
			return 0, fail(ProtocolVersion, "record of another version")
		}
		if size > maxCipher2 {
			return 0, fail(RecordOverflow, "record is too long")
		}
	}
	if len(in) < headerLen+size {
		return 0, nil
	}
	return headerLen + size, nil
}

// openRecord decrypts one record, and appends it to dst if it is application
// data; else it acts on it.
func (k *conn) openRecord(c *Cache, dst, rec []byte) ([]byte, error) {
	aead, err := c.opener(k)
	if err != nil {
		return dst, fail(InternalError, err.Error())
	}
	mark := len(dst)
	dst = slices.Grow(dst, len(rec))
	typ, body, aad, err := k.openArgs(c, rec)
	if err != nil {
		return dst, err
	}
	out, err := aead.Open(dst, c.nonce[:], body, aad)
	if err != nil {
		return dst, fail(BadRecordMAC, "record cannot be decrypted")
	}
	k.countIn()
	content := out[mark:]
	if k.suite().tls13() {
		if typ, content, err = innerType(content); err != nil {
			return dst, err
		}
	}
	if len(content) > maxPlain {
		return dst, fail(RecordOverflow, "content is too long")
	}
	if typ != typeData {
		return dst, k.control(typ, content)
	}
	return out[:mark+len(content)], k.data(len(content))
}

// openArgs sets c.nonce and returns what else the cipher takes, and the type on
// the outside of the record.
func (k *conn) openArgs(c *Cache, rec []byte) (typ byte, body, aad []byte, err error) {
	s := k.suite()
	c.setNonce(&k.in)
	typ, body, aad = rec[0], rec[headerLen:], rec[:headerLen]
	if s.tls13() {
		return typ, body, aad, nil
	}
	if e := s.explicitNonce(); e > 0 {
		if len(body) < e {
			return 0, nil, nil, fail(BadRecordMAC, "record is too short")
		}
		copy(c.nonce[s.saltIV:], body[:e])
		body = body[e:]
	}
	if len(body) < tagLen {
		return 0, nil, nil, fail(BadRecordMAC, "record is too short")
	}
	return typ, body, c.aad12(k.in.seq, typ, len(body)-tagLen), nil
}

// innerType takes the padding and the true type off a TLSInnerPlaintext
// (RFC 8446 §5.2, §5.4).
func innerType(p []byte) (typ byte, content []byte, err error) {
	if len(p) > maxPlain+1 {
		return 0, nil, fail(RecordOverflow, "content and padding are too long")
	}
	i := len(p) - 1
	for i >= 0 && p[i] == 0 {
		i--
	}
	if i < 0 {
		return 0, nil, fail(UnexpectedMessage, "record without a type")
	}
	return p[i], p[:i], nil
}

// countIn notes that a record was opened, and what its number brings about.
func (k *conn) countIn() {
	k.in.seq++
	if k.in.seq%recordsPerCredit == 0 && k.credit < maxCredit {
		k.credit++
	}
	if k.in.seq == maxRecords {
		k.flags |= askUpdate
	}
}

// data is called for a record with n bytes of application data.
func (k *conn) data(n int) error {
	if k.handLen > 0 { // RFC 8446 §5.1: no interleaving
		return fail(UnexpectedMessage, "data inside a handshake message")
	}
	if n == 0 {
		return k.wasted()
	}
	k.idle = 0
	return nil
}

// wasted counts a record that brought no application data.
func (k *conn) wasted() error {
	if k.idle++; k.idle > maxIdle {
		return fail(UnexpectedMessage, "too many records without data")
	}
	return nil
}

// control acts on a record that is not application data.
func (k *conn) control(typ byte, content []byte) error {
	switch {
	case typ == typeAlert && k.handLen == 0:
		return k.alert(content)
	case typ == typeHandshake && k.suite().tls13():
		return k.handshake13(content)
	case typ == typeHandshake && len(content) > 0 && content[0] == 1: // client_hello
		return fail(NoRenegotiation, "client wants to renegotiate")
	}
	return fail(UnexpectedMessage, "record of a type that has no place here")
}

// alert acts on an alert of the client (RFC 8446 §6, RFC 5246 §7.2).
func (k *conn) alert(content []byte) error {
	switch len(content) {
	case 2:
	case 0:
		return fail(UnexpectedMessage, "empty alert") // RFC 8446 §5.4
	default:
		return fail(DecodeError, "alert is not two bytes long")
	}
	level, a := content[0], Alert(content[1])
	switch {
	case a == CloseNotify:
		k.flags |= inClosed
		return nil
	case a == UserCanceled:
		return k.wasted()
	case k.suite().tls13() || level == 2: // in TLS 1.3 all others are fatal
		return &Error{Alert: a, Remote: true}
	case level == 1:
		return k.wasted()
	}
	return fail(IllegalParameter, "alert of unknown level")
}

// giveUp closes the session for err and returns the alert that says so, if it
// is for us to say.
func (k *conn) giveUp(c *Cache, err error) []byte {
	var reply []byte
	if e, ok := err.(*Error); ok && !e.Remote && !k.has(outClosed) {
		c.reply = k.sealAlert(c, c.reply[:0], e.Alert)
		reply = c.reply
	}
	k.flags |= failed | inClosed | outClosed
	return reply
}
