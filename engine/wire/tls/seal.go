package tls

import (
	"encoding/binary"
	"slices"
)

// maxRecords12 is how many records AES-GCM may protect in TLS 1.2: 2^24.5
// (RFC 9325 §4.4).
const maxRecords12 = 23_726_566

// maxOverhead is the most a record adds to its content.
const maxOverhead = headerLen + 8 + 1 + tagLen

// Seal implements Conn.
func (k *conn) Seal(c *Cache, dst, plain []byte) ([]byte, error) {
	if k.has(outClosed) {
		return dst, ErrClosed
	}
	dst = slices.Grow(dst, len(plain)+maxOverhead*(1+len(plain)/maxPlain))
	for len(plain) > 0 {
		var err error
		if dst, err = k.keepFresh(c, dst); err != nil {
			return dst, err
		}
		piece := plain[:min(len(plain), maxPlain)]
		if dst, err = k.sealRecord(c, dst, typeData, piece); err != nil {
			return dst, err
		}
		plain = plain[len(piece):]
	}
	return dst, nil
}

// CloseNotify implements Conn.
func (k *conn) CloseNotify(c *Cache, dst []byte) []byte {
	if k.has(outClosed) {
		return dst
	}
	dst = k.sealAlert(c, dst, CloseNotify)
	k.flags |= outClosed
	return dst
}

// keepFresh changes the key before it has protected too many records.
func (k *conn) keepFresh(c *Cache, dst []byte) ([]byte, error) {
	s := k.suite()
	switch {
	case s.tls13() && k.out.seq >= maxRecords:
		return k.sealUpdate(c, dst, 0)
	case !s.tls13() && !s.chacha && k.out.seq >= maxRecords12:
		return dst, ErrWorn
	}
	return dst, nil
}

// sealAlert appends alert a. An alert that cannot be sealed is not sent.
func (k *conn) sealAlert(c *Cache, dst []byte, a Alert) []byte {
	msg := [...]byte{a.level(), byte(a)}
	sealed, err := k.sealRecord(c, dst, typeAlert, msg[:])
	if err != nil {
		return dst
	}
	return sealed
}

// sealRecord appends one record with content, at most maxPlain bytes.
func (k *conn) sealRecord(c *Cache, dst []byte, typ byte, content []byte) ([]byte, error) {
	aead, err := c.sealer(k)
	if err != nil {
		return dst, err
	}
	s := k.suite()
	c.setNonce(&k.out)
	head := len(dst)
	var aad []byte
	if s.tls13() {
		dst = appendHeader(dst, typeData, len(content)+1+tagLen)
		dst = append(dst, content...)
		dst = append(dst, typ)
		aad = dst[head : head+headerLen]
	} else {
		e := s.explicitNonce()
		dst = appendHeader(dst, typ, e+len(content)+tagLen)
		dst = append(dst, c.nonce[ivLen-e:]...)
		dst = append(dst, content...)
		aad = c.aad12(k.out.seq, typ, len(content))
	}
	body := head + headerLen + s.explicitNonce()
	k.out.seq++
	return aead.Seal(dst[:body], c.nonce[:], dst[body:], aad), nil
}

// appendHeader appends a record's header; both versions write 3.3.
func appendHeader(dst []byte, typ byte, size int) []byte {
	return append(dst, typ, 3, 3, byte(size>>8), byte(size))
}

// setNonce makes the nonce of h's next record: the IV with the sequence number
// mixed in (RFC 8446 §5.3, RFC 7905 §2). The four bytes of IV that AES-GCM has
// in TLS 1.2 leave the number in clear behind them, which is our choice of
// explicit nonce (RFC 5288 §3).
func (c *Cache) setNonce(h *half) {
	c.nonce = h.iv
	seq := binary.BigEndian.Uint64(h.iv[4:]) ^ h.seq
	binary.BigEndian.PutUint64(c.nonce[4:], seq)
}

// aad12 is the additional data of TLS 1.2 (RFC 5246 §6.2.3.3), valid until its
// next call.
func (c *Cache) aad12(seq uint64, typ byte, size int) []byte {
	binary.BigEndian.PutUint64(c.aad[:], seq)
	copy(c.aad[8:], []byte{typ, 3, 3, byte(size >> 8), byte(size)})
	return c.aad[:]
}
