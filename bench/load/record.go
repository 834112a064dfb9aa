package load

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"golang.org/x/crypto/chacha20poly1305"
)

// A session is the client's end of a TLS 1.3 connection after its handshake:
// two secrets and two counters, no cipher and no buffer (RFC 8446 section 5).
type session struct {
	suite     uint16
	read      direction
	write     direction
	keyUpdate bool   // the server asked for one, to be sent before more data
	in        []byte // the front of an unfinished record
}

// direction is one half. The cipher is made on use; see ciphers.
type direction struct {
	secret [48]byte
	iv     [12]byte
	seq    uint64
}

const (
	recordHeader  = 5
	maxPlain      = 1 << 14
	maxCiphertext = maxPlain + 256

	typeAlert     = 21
	typeHandshake = 22
	typeData      = 23

	handshakeKeyUpdate = 24
)

var errRecord = errors.New("load: bad TLS record")

func newSession(suite uint16, readSecret, writeSecret []byte) (*session, error) {
	s := &session{suite: suite}
	if _, ok := suites[suite]; !ok {
		return nil, fmt.Errorf("load: %s is not supported", tls.CipherSuiteName(suite))
	}
	copy(s.read.secret[:], readSecret)
	copy(s.write.secret[:], writeSecret)
	s.read.start(suite)
	s.write.start(suite)
	return s, nil
}

// suites are those of TLS 1.3.
var suites = map[uint16]struct {
	hash func() hash.Hash
	key  int
	aead func(key []byte) (cipher.AEAD, error)
}{
	tls.TLS_AES_128_GCM_SHA256:       {sha256.New, 16, newGCM},
	tls.TLS_AES_256_GCM_SHA384:       {sha512.New384, 32, newGCM},
	tls.TLS_CHACHA20_POLY1305_SHA256: {sha256.New, 32, chacha20poly1305.New},
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446 section 7.1).
func (d *direction) expand(suite uint16, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 "+label)))
	info = append(info, "tls13 "+label...)
	info = append(info, 0)
	h := suites[suite].hash
	out, err := hkdf.Expand(h, d.secret[:h().Size()], string(info), n)
	if err != nil {
		panic(err) // only a length out of range
	}
	return out
}

func (d *direction) start(suite uint16) {
	copy(d.iv[:], d.expand(suite, "iv", len(d.iv)))
	d.seq = 0
}

// update moves to the next generation of keys (RFC 8446 section 7.2).
func (d *direction) update(suite uint16) {
	copy(d.secret[:], d.expand(suite, "traffic upd", suites[suite].hash().Size()))
	d.start(suite)
}

func (d *direction) aead(suite uint16) cipher.AEAD {
	a, err := suites[suite].aead(d.expand(suite, "key", suites[suite].key))
	if err != nil {
		panic(err) // only a key length out of range
	}
	return a
}

func (d *direction) nonce() (n [12]byte) {
	n = d.iv
	binary.BigEndian.PutUint64(n[4:], binary.BigEndian.Uint64(n[4:])^d.seq)
	d.seq++
	return n
}

// ciphers are the ready ciphers of the sessions that were lately busy, kept by
// a loop so that an idle session owns none. Slots are shared by index.
type ciphers []cipherSlot

type cipherSlot struct {
	of          *session
	read, write cipher.AEAD
}

func (cs ciphers) of(i int, s *session) *cipherSlot {
	slot := &cs[i%len(cs)]
	if slot.of != s {
		*slot = cipherSlot{s, s.read.aead(s.suite), s.write.aead(s.suite)}
	}
	return slot
}

// seal appends the records that carry plain.
func (s *session) seal(c *cipherSlot, dst, plain []byte) []byte {
	if s.keyUpdate {
		s.keyUpdate = false
		dst = s.record(c, dst, []byte{handshakeKeyUpdate, 0, 0, 1, 0}, typeHandshake)
		s.write.update(s.suite)
		c.write = s.write.aead(s.suite)
	}
	for len(plain) > 0 {
		n := min(len(plain), maxPlain)
		dst = s.record(c, dst, plain[:n], typeData)
		plain = plain[n:]
	}
	return dst
}

func (s *session) record(c *cipherSlot, dst, plain []byte, kind byte) []byte {
	at := len(dst)
	dst = append(dst, typeData, 3, 3, 0, 0)
	binary.BigEndian.PutUint16(dst[at+3:], uint16(len(plain)+1+c.write.Overhead()))
	dst = slices.Grow(append(append(dst, plain...), kind), c.write.Overhead())
	nonce := s.write.nonce()
	body := dst[at+recordHeader:]
	sealed := c.write.Seal(body[:0], nonce[:], body, dst[at:at+recordHeader])
	return dst[:at+recordHeader+len(sealed)]
}

// recordLen is the length of the record at the front of in, 0 if more bytes
// are needed to tell or to have it.
func recordLen(in []byte) (int, error) {
	if len(in) < recordHeader {
		return 0, nil
	}
	n := int(binary.BigEndian.Uint16(in[3:]))
	if n > maxCiphertext {
		return 0, errRecord
	}
	if len(in) < recordHeader+n {
		return 0, nil
	}
	return recordHeader + n, nil
}

// open decrypts the whole records at the front of in, in place and appended to
// dst, and says how many bytes they were. io.EOF is a close_notify.
func (s *session) open(c *cipherSlot, dst, in []byte) ([]byte, int, error) {
	for used := 0; ; {
		n, err := recordLen(in[used:])
		if n == 0 || err != nil {
			return dst, used, err
		}
		rec := in[used : used+n]
		used += n
		nonce := s.read.nonce()
		body, err := c.read.Open(rec[recordHeader:recordHeader], nonce[:], rec[recordHeader:], rec[:recordHeader])
		if err != nil {
			return dst, used, errRecord
		}
		body = bytes.TrimRight(body, "\x00")
		if len(body) == 0 {
			return dst, used, errRecord
		}
		kind := body[len(body)-1]
		if dst, err = s.handle(c, dst, body[:len(body)-1], kind); err != nil {
			return dst, used, err
		}
	}
}

// handle takes one record's content: data, an alert, a session ticket that is
// of no use here, or a KeyUpdate.
func (s *session) handle(c *cipherSlot, dst, body []byte, kind byte) ([]byte, error) {
	switch {
	case kind == typeData:
		return append(dst, body...), nil
	case kind == typeAlert && len(body) == 2 && body[1] == 0:
		return dst, io.EOF
	case kind == typeAlert && len(body) == 2:
		return dst, fmt.Errorf("load: %w", tls.AlertError(body[1]))
	case kind == typeHandshake && len(body) == 5 && body[0] == handshakeKeyUpdate:
		s.keyUpdate = s.keyUpdate || body[4] == 1
		s.read.update(s.suite)
		c.read = s.read.aead(s.suite)
		return dst, nil
	case kind == typeHandshake:
		return dst, nil
	}
	return dst, errRecord
}
