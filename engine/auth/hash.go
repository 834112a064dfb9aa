package auth

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
)

// Hash is a hash function that SCRAM is used with.
type Hash uint8

const (
	SHA1   Hash = iota // RFC 5802
	SHA256             // RFC 7677
	SHA512             // as XMPP clients use it, by the pattern of RFC 7677
	hashes
)

var hashTable = [hashes]struct {
	name string
	size int // octets
	new  func() hash.Hash
}{
	SHA1:   {"SHA-1", sha1.Size, sha1.New},
	SHA256: {"SHA-256", sha256.Size, sha256.New},
	SHA512: {"SHA-512", sha512.Size, sha512.New},
}

// String returns the name as it stands in the mechanism's.
func (h Hash) String() string { return hashTable[h].name }

// Size is the length of a hash and of each key, in octets.
func (h Hash) Size() int { return hashTable[h].size }

func (h Hash) new() func() hash.Hash { return hashTable[h].new }

func (h Hash) sum(b []byte) []byte {
	d := h.new()()
	d.Write(b)
	return d.Sum(nil)
}

// mac is HMAC over the parts one after the other.
func (h Hash) mac(key []byte, parts ...[]byte) []byte {
	m := hmac.New(h.new(), key)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)
}

// digest is the hash of s in base64.
func (h Hash) digest(s string) string {
	return base64.StdEncoding.EncodeToString(h.sum([]byte(s)))
}
