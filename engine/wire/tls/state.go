package tls

import (
	"crypto/x509"
	"encoding/binary"
	"errors"
	"strings"
	"unique"
)

// stateVersion is the first byte of a serialised session. Raise it when the
// form changes; Restore reads this one only, since old and new binary agree on
// it before they hand over.
const stateVersion = 1

var errState = errors.New("tls: serialised session is damaged")

// AppendState implements Conn. The form is: version, suite, flags, idle,
// credit, the cut-off handshake message, both directions, exporter, then what
// was agreed on, each with its length.
func (k *conn) AppendState(dst []byte) []byte {
	a := k.agreed.Value()
	dst = append(dst, stateVersion)
	dst = binary.BigEndian.AppendUint16(dst, k.suite().id)
	dst = append(dst, k.flags, k.idle, k.credit, k.handLen)
	dst = append(dst, k.hand[:]...)
	dst = k.in.append(dst)
	dst = k.out.append(dst)
	dst = append(dst, k.exporter[:]...)
	for _, s := range []string{a.alpn, a.serverName, a.endPoint} {
		dst = appendField(dst, s)
	}
	if a.peers == nil {
		return append(dst, 0)
	}
	dst = append(dst, byte(len(*a.peers)))
	for _, p := range *a.peers {
		dst = appendField(dst, string(p.Raw))
	}
	return dst
}

func (h *half) append(dst []byte) []byte {
	dst = append(dst, h.secret[:]...)
	dst = append(dst, h.key[:]...)
	dst = append(dst, h.iv[:]...)
	return binary.BigEndian.AppendUint64(dst, h.seq)
}

func appendField(dst []byte, s string) []byte {
	dst = append(dst, byte(len(s)>>16), byte(len(s)>>8), byte(len(s)))
	return append(dst, s...)
}

// Restore makes the session again that AppendState wrote. It keeps no part of b.
func Restore(b []byte) (Conn, error) {
	r := reader{b: b}
	if v := r.take(1); len(v) == 0 || v[0] != stateVersion {
		return nil, errState
	}
	k := &conn{slot: ^uint32(0)}
	idx, ok := suiteIndex(binary.BigEndian.Uint16(r.take(2)))
	if !ok {
		return nil, errState
	}
	k.suiteIdx = idx
	small := r.take(4)
	k.flags, k.idle, k.credit, k.handLen = small[0], small[1], small[2], small[3]
	copy(k.hand[:], r.take(len(k.hand)))
	k.in.read(&r)
	k.out.read(&r)
	copy(k.exporter[:], r.take(len(k.exporter)))
	k.readAgreed(&r)
	if r.bad || len(r.b) > 0 || int(k.handLen) > len(k.hand) {
		k.Wipe()
		return nil, errState
	}
	return k, nil
}

func (h *half) read(r *reader) {
	copy(h.secret[:], r.take(len(h.secret)))
	copy(h.key[:], r.take(len(h.key)))
	copy(h.iv[:], r.take(len(h.iv)))
	h.seq = binary.BigEndian.Uint64(r.take(8))
}

func (k *conn) readAgreed(r *reader) {
	a := agreed{alpn: r.field(), serverName: r.field(), endPoint: r.field()}
	if n := int(r.take(1)[0]); n > 0 {
		peers := make([]*x509.Certificate, 0, n)
		for range n {
			p, err := x509.ParseCertificate([]byte(r.field()))
			if err != nil {
				r.bad = true
				break
			}
			peers = append(peers, p)
		}
		a.peers = &peers
	}
	k.agreed = unique.Make(a)
}

// reader cuts a serialised session. Past its end it returns zeros and is bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, min(n, 64))
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) field() string {
	l := r.take(3)
	return strings.Clone(string(r.take(int(l[0])<<16 | int(l[1])<<8 | int(l[2]))))
}
