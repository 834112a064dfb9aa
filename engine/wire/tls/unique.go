package tls

import (
	"bytes"
	ctls "crypto/tls"
)

// maxFinished bounds the record that a client's Finished comes in: header,
// message of up to 48 bytes with its head, content type, tag, some padding.
const maxFinished = 256

// finishedOf returns the channel binding tls-unique: what the client's Finished
// says (RFC 5929 §3), nil if that is not to be had. For TLS 1.3, where the type
// is not defined (RFC 9266 §3), clients built on OpenSSL's SSL_get_finished have
// the same bytes, and the Finished covers the whole handshake as it did before.
//
// record is the last one that the handshake read.
func finishedOf(cs *ctls.ConnectionState, s *suite, k *keys, record []byte) []byte {
	if !s.tls13() {
		return bytes.Clone(cs.TLSUnique) // which lies inside the whole tls.Conn
	}
	var h half
	defer func() { h = half{} }()
	if len(record) <= headerLen || h.setSecret(s, k.clientHandshake[:k.n]) != nil {
		return nil
	}
	aead, err := s.aead(h.key[:])
	if err != nil {
		return nil
	}
	// Record 0 under this key, unless the client had a certificate to send.
	plain, err := aead.Open(nil, h.iv[:], record[headerLen:], record[:headerLen])
	if err != nil {
		return nil
	}
	const finished = 20 // HandshakeType
	size := s.hash().Size()
	plain = bytes.TrimRight(plain, "\x00")
	if len(plain) != 4+size+1 || plain[4+size] != typeHandshake ||
		!bytes.HasPrefix(plain, []byte{finished, 0, 0, byte(size)}) {
		return nil
	}
	return plain[4 : 4+size : 4+size]
}
