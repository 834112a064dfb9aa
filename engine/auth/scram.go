package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
)

// nonceSize is the server's part of the nonce: 144 random bits, 24 characters
// of base64, which has no comma.
const nonceSize = 18

// scram is what an exchange remembers between the two messages of a client.
type scram struct {
	claim
	keys  Keys
	bound []byte // what c= must say: the gs2 header and the binding data
	nonce []byte // both parts
	auth  []byte // client-first-message-bare "," server-first-message ","
}

// clientFirst answers the client-first-message (RFC 5802 §5, §7).
func (x *Exchange) clientFirst(in []byte) ([]byte, bool, error) {
	m, err := parseFirst(in)
	if err != nil {
		return nil, false, err
	}
	s := &x.scram
	if s.bound, err = x.bind(&m); err != nil {
		return nil, false, err
	}
	if s.claim, err = x.find(m.name, m.authzid); err != nil {
		return nil, false, err
	}
	s.keys = x.keys()
	s.nonce = appendNonce(m.nonce)
	out := x.serverFirst()
	s.auth = append(append(append(m.bare, ','), out...), ',')
	x.next = x.clientFinal
	return out, false, nil
}

// keys returns the keys that the proof is checked by, made up where there are
// none. They are made up each time, so that it takes the same time each time.
func (x *Exchange) keys() Keys {
	h, s := x.mechanism.hash, &x.scram
	keys := x.m.decoy.keys(s.name, h)
	if s.known = s.known && s.account.Credentials.Keys[h].Iterations > 0; s.known {
		return s.account.Credentials.Keys[h]
	}
	return keys
}

// appendNonce returns the client's nonce with fresh random bits behind it.
func appendNonce(client []byte) []byte {
	var random [nonceSize]byte
	rand.Read(random[:]) // never fails
	return base64.StdEncoding.AppendEncode(append([]byte(nil), client...), random[:])
}

// serverFirst is the server-first-message. h= tells the client what was offered,
// signed by the proof of its password (XEP-0474 §5.1).
func (x *Exchange) serverFirst() []byte {
	s := &x.scram
	out := make([]byte, 0, len(s.nonce)+2*len(s.keys.Salt)+128)
	out = append(append(out, "r="...), s.nonce...)
	out = base64.StdEncoding.AppendEncode(append(out, ",s="...), s.keys.Salt)
	out = strconv.AppendInt(append(out, ",i="...), int64(s.keys.Iterations), 10)
	return append(append(out, ",h="...), x.offer.digest[x.mechanism.hash]...)
}

// bind judges the client's word on channel binding (RFC 5802 §6) and returns
// what c= of its next message must be.
func (x *Exchange) bind(m *firstMessage) ([]byte, error) {
	plus := x.mechanism.plus
	switch {
	case m.flag == 'p' && !plus:
		return nil, malformed("channel binding needs a -PLUS mechanism")
	case m.flag != 'p' && plus:
		return nil, malformed("a -PLUS mechanism needs channel binding")
	case m.flag == 'y' && x.offer.plus():
		return nil, denied("channel binding is offered: somebody has changed what you were told")
	case !plus:
		return m.header, nil
	}
	data := x.binding.data(string(m.binding))
	if data == nil {
		return nil, malformed("this type of channel binding is not offered here")
	}
	return append(m.header, data...), nil
}

// clientFinal answers the client-final-message with the server's signature.
func (x *Exchange) clientFinal(in []byte) ([]byte, bool, error) {
	m, err := parseFinal(in)
	if err != nil {
		return nil, false, err
	}
	s, h := &x.scram, x.mechanism.hash
	switch {
	case subtle.ConstantTimeCompare(m.bound, s.bound) == 0:
		return nil, false, denied("the channel binding is not that of this connection")
	case subtle.ConstantTimeCompare(m.nonce, s.nonce) == 0:
		return nil, false, denied("the nonce is not ours")
	case len(m.proof) != h.Size():
		return nil, false, malformed("the proof has a wrong length")
	}
	if ok := h.proves(s, &m); !ok || !s.known {
		return nil, false, errDenied
	}
	if err := x.admit(&s.account); err != nil {
		return nil, false, err
	}
	sig := h.mac(s.keys.Server, s.auth, m.signed)
	return base64.StdEncoding.AppendEncode([]byte("v="), sig), true, nil
}

// proves reports whether the proof shows the client key (RFC 5802 §3).
func (h Hash) proves(s *scram, m *finalMessage) bool {
	key := h.mac(s.keys.Stored, s.auth, m.signed) // the client's signature
	subtle.XORBytes(key, key, m.proof)
	return subtle.ConstantTimeCompare(h.sum(key), s.keys.Stored) == 1
}
