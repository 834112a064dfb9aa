package tls

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	ctls "crypto/tls"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	maxKey    = 32 // AES-256, ChaCha20
	maxSecret = sha512.Size384
	ivLen     = 12
	tagLen    = 16
)

// A suite is what the record layer must know of a cipher suite. The value is
// serialised (state.go): never renumber.
type suite struct {
	id     uint16
	keyLen int
	saltIV int  // bytes of IV from the key block of TLS 1.2
	chacha bool // ChaCha20-Poly1305 in place of AES-GCM
	hash   func() hash.Hash
}

// suites are the allowed ones: AEAD and forward secrecy (RFC 9325 §4.2).
var suites = []suite{
	{id: ctls.TLS_AES_128_GCM_SHA256, keyLen: 16, hash: sha256.New},
	{id: ctls.TLS_AES_256_GCM_SHA384, keyLen: 32, hash: sha512.New384},
	{id: ctls.TLS_CHACHA20_POLY1305_SHA256, keyLen: 32, chacha: true, hash: sha256.New},
	{id: ctls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, keyLen: 16, saltIV: 4, hash: sha256.New},
	{id: ctls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, keyLen: 32, saltIV: 4, hash: sha512.New384},
	{id: ctls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, keyLen: 32, saltIV: 12, chacha: true, hash: sha256.New},
	{id: ctls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, keyLen: 16, saltIV: 4, hash: sha256.New},
	{id: ctls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, keyLen: 32, saltIV: 4, hash: sha512.New384},
	{id: ctls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, keyLen: 32, saltIV: 12, chacha: true, hash: sha256.New},
}

// suiteIndex returns where id stands in suites, and whether it does.
func suiteIndex(id uint16) (uint8, bool) {
	for i := range suites {
		if suites[i].id == id {
			return uint8(i), true
		}
	}
	return 0, false
}

// tls13 reports whether s belongs to TLS 1.3.
func (s *suite) tls13() bool { return s.saltIV == 0 }

// explicitNonce is how many bytes of the nonce travel in front of each record:
// 8 for AES-GCM in TLS 1.2 (RFC 5288 §3), else none.
func (s *suite) explicitNonce() int {
	if s.tls13() || s.chacha {
		return 0
	}
	return ivLen - s.saltIV
}

// aead builds the cipher; this is the cost of a miss in the Cache.
func (s *suite) aead(key []byte) (cipher.AEAD, error) {
	if s.chacha {
		return chacha20poly1305.New(key[:s.keyLen])
	}
	block, err := aes.NewCipher(key[:s.keyLen])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
func (s *suite) expandLabel(secret []byte, label string, n int) ([]byte, error) {
	info := make([]byte, 0, 32)
	info = append(info, byte(n>>8), byte(n), byte(len("tls13 ")+len(label)))
	info = append(info, "tls13 "...)
	info = append(info, label...)
	info = append(info, 0)
	return hkdf.Expand(s.hash, secret, string(info), n)
}

// prf fills dst with the PRF of TLS 1.2 (RFC 5246 §5).
func (s *suite) prf(dst, secret []byte, label string, seed ...[]byte) {
	mac := hmac.New(s.hash, secret)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	seed = append([][]byte{[]byte(label)}, seed...)
	a := sum(seed...)
	for len(dst) > 0 {
		dst = dst[copy(dst, sum(append([][]byte{a}, seed...)...)):]
		a = sum(a)
	}
}
