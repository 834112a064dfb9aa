package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// nameLen is the length of a row's name.
const nameLen = 22

// Name returns the name by which a row is known outside: unlike any other of
// that owner, the same for ever, and telling nothing to who has not the key.
func (a *Archive) Name(owner string, seq uint64) string {
	return string(a.AppendName(make([]byte, 0, nameLen), owner, seq))
}

// AppendName appends Name to dst.
func (a *Archive) AppendName(dst []byte, owner string, seq uint64) []byte {
	n := len(dst)
	dst = append(dst, make([]byte, nameLen+16)...)
	b := dst[n+nameLen:] // behind the name, so that it needs no memory
	binary.BigEndian.PutUint64(b, seq)
	binary.BigEndian.PutUint64(b[8:], ownerHash(owner))
	a.names.Encrypt(b, b)
	base64.RawURLEncoding.Encode(dst[n:], b)
	return dst[:n+nameLen]
}

// Parse returns the sequence number of a name that a was made for owner. Whether
// the row is still there it does not say.
func (a *Archive) Parse(owner, name string) (seq uint64, ok bool) {
	if len(name) != nameLen {
		return 0, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(name)
	if err != nil || len(b) != 16 {
		return 0, false
	}
	a.names.Decrypt(b, b)
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]) == ownerHash(owner)
}

// ownerHash is FNV-1a, and so is Tag: both are stored, and asked for often.
func ownerHash(owner string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(owner) {
		h = (h ^ uint64(owner[i])) * 1099511628211
	}
	return h
}

// Tag returns what rows are tagged with so that those about s can be found
// without reading them: different strings seldom have the same.
func Tag(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return max(h, 1)
}

// Clock makes sequence numbers: microseconds since 1970, and always greater than
// the one before. Each owner's come from one clock at a time.
type Clock struct{ last uint64 }

// Clock returns a clock that is ahead of all that is in the archive.
func (a *Archive) Clock() *Clock { return &Clock{a.last.Load()} }

// Next returns the number for now.
func (c *Clock) Next(now time.Time) uint64 {
	c.last = max(c.last+1, uint64(now.UnixMicro()))
	return c.last
}

// TimeOf returns the time that a sequence number was made for.
func TimeOf(seq uint64) time.Time { return time.UnixMicro(int64(seq)).UTC() }

// PoolName returns s as the name of a pool: rows of one pool share their
// retention, and its name is in the names of their files. "" is the usual pool.
func PoolName(s string) string {
	if isPool(s) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "x-" + hex.EncodeToString(sum[:16])
}

func isPool(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && (c != '.' || i == 0) {
			return false
		}
	}
	return len(s) <= 100
}
