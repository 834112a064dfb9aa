package auth

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"meerkat/engine/metric"
)

// Bounds of the iteration count. RFC 7677 §4 wants at least 4096; a client of
// ours waits for as many rounds as we say, and PLAIN costs us the same.
const (
	MinIterations     = 4096
	DefaultIterations = 10000
	MaxIterations     = 1000000
)

const saltSize = 16 // octets

// Keys prove a password by one hash, as RFC 5802 §3 names them.
type Keys struct {
	Iterations int // 0: there are no keys for this hash
	Salt       []byte
	Stored     []byte
	Server     []byte
}

// Credentials are what is kept of a password.
type Credentials struct {
	Disabled bool // whoever proves the password is still not let in
	Keys     [hashes]Keys
}

var derivations = metric.NewCounter("meerkat_auth_derivations_total",
	"Passwords put through PBKDF2: by PLAIN and when one is set. The dearest thing a client can ask for.")

// Derive makes the credentials of a password, with fresh salts. It takes
// milliseconds of CPU, so not on a loop. err is ErrPassword, or iterations out
// of MinIterations to MaxIterations.
func Derive(password string, iterations int) (Credentials, error) {
	var c Credentials
	if err := checkIterations(iterations); err != nil {
		return c, err
	}
	p, err := preparePassword(password)
	if err != nil {
		return c, err
	}
	for h := range Hash(hashes) {
		salt := make([]byte, saltSize)
		rand.Read(salt) // never fails
		if c.Keys[h], err = h.keys(p, salt, iterations); err != nil {
			return Credentials{}, err
		}
	}
	return c, nil
}

func checkIterations(n int) error {
	if n < MinIterations || n > MaxIterations {
		return fmt.Errorf("auth: %d SCRAM iterations: want %d to %d", n, MinIterations, MaxIterations)
	}
	return nil
}

// verifyOrder is which keys to check a password by: the cheapest strong ones.
// SHA-1 alone is for accounts that came from another server.
var verifyOrder = [...]Hash{SHA256, SHA512, SHA1}

// Verify reports whether password is the one c was made of. It costs one
// derivation whatever the password is like, so not on a loop.
func (c *Credentials) Verify(password string) bool {
	p, bad := preparePassword(password)
	if bad != nil {
		p = password // the same work for what cannot be right
	}
	for _, h := range verifyOrder {
		if k := &c.Keys[h]; k.Iterations > 0 {
			got, err := h.keys(p, k.Salt, k.Iterations)
			same := subtle.ConstantTimeCompare(got.Stored, k.Stored) == 1
			return same && bad == nil && err == nil
		}
	}
	return false
}

// keys derives what RFC 5802 §3 says from a prepared password. It fails only
// where policy forbids the hash (FIPS 140).
func (h Hash) keys(password string, salt []byte, iterations int) (Keys, error) {
	derivations.Add(metric.OffLoop, 1)
	salted, err := pbkdf2.Key(h.new(), password, salt, iterations, h.Size())
	if err != nil {
		return Keys{}, fmt.Errorf("auth: derive keys: %w", err)
	}
	return Keys{
		Iterations: iterations,
		Salt:       salt,
		Stored:     h.sum(h.mac(salted, []byte("Client Key"))),
		Server:     h.mac(salted, []byte("Server Key")),
	}, nil
}

// A record in the store is
//
//	version  1 byte, 1
//	flags    1 byte: disabled
//	3 times, for SHA-1, SHA-256, SHA-512:
//	  iterations  uvarint; 0: no more of this hash
//	  salt        length in 1 byte, and its bytes
//	  stored key, server key  of the hash's size each
const (
	codecVersion = 1
	flagDisabled = 1
)

// AppendTo appends the record of c, about 300 bytes.
func (c *Credentials) AppendTo(dst []byte) []byte {
	var flags byte
	if c.Disabled {
		flags |= flagDisabled
	}
	dst = append(dst, codecVersion, flags)
	for _, k := range c.Keys {
		dst = binary.AppendUvarint(dst, uint64(k.Iterations))
		if k.Iterations > 0 {
			dst = append(dst, byte(len(k.Salt)))
			dst = append(dst, k.Salt...)
			dst = append(dst, k.Stored...)
			dst = append(dst, k.Server...)
		}
	}
	return dst
}

// ErrRecord says that a record in the store is not one of credentials.
var ErrRecord = errors.New("auth: damaged credentials record")

// DecodeCredentials reads what AppendTo wrote, and copies it. err is ErrRecord.
func DecodeCredentials(record []byte) (c Credentials, err error) {
	if len(record) < 2 || record[0] != codecVersion || record[1] > flagDisabled {
		return Credentials{}, ErrRecord
	}
	c.Disabled = record[1]&flagDisabled != 0
	b := bytes.Clone(record[2:])
	for h := range Hash(hashes) {
		if b, err = c.Keys[h].decode(b, h.Size()); err != nil {
			return Credentials{}, err
		}
	}
	if len(b) > 0 {
		return Credentials{}, ErrRecord
	}
	return c, nil
}

// decode reads keys of size octets, which share b, and returns what is behind.
func (k *Keys) decode(b []byte, size int) ([]byte, error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n != 0 && (n < MinIterations || n > MaxIterations) {
		return nil, ErrRecord
	}
	if b = b[used:]; n == 0 {
		return b, nil
	}
	if len(b) < 1 || len(b) < 1+int(b[0])+2*size || b[0] == 0 {
		return nil, ErrRecord
	}
	salt := int(b[0])
	b = b[1:]
	*k = Keys{int(n), b[:salt:salt], b[salt : salt+size : salt+size], b[salt+size : salt+2*size : salt+2*size]}
	return b[salt+2*size:], nil
}

// empty reports that there are no keys at all.
func (c *Credentials) empty() bool {
	for i := range c.Keys {
		if c.Keys[i].Iterations > 0 {
			return false
		}
	}
	return true
}
