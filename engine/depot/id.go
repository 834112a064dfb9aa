package depot

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// ID names a file: the second of its creation, so that an owner's files are in
// order, and 128 random bits, so that nobody finds it who was not told.
type ID [20]byte

// IDLen is how many letters and digits the text of an ID or a signature has.
const IDLen = 32

var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID makes an ID.
func NewID(now time.Time) (id ID) {
	binary.BigEndian.PutUint32(id[:], uint32(now.Unix()))
	rand.Read(id[4:]) // never fails
	return id
}

// ParseID reads what String writes, and nothing else.
func ParseID(text string) (id ID, ok bool) { return id, decode(id[:], text) }

// Letters and digits are 5 bits each: 32 of them are 20 bytes, none left over.
func decode(to []byte, text string) bool {
	if len(text) != IDLen {
		return false
	}
	for i := range len(text) { // the decoder skips line ends
		if c := text[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	_, err := alphabet.Decode(to, []byte(text))
	return err == nil
}

func (id ID) String() string { return alphabet.EncodeToString(id[:]) }

func (id ID) shard() string { return hex.EncodeToString(id[4:5]) }

// Signature proves that we promised a place.
type Signature [20]byte

// ParseSignature reads what String writes, and nothing else.
func ParseSignature(text string) (s Signature, ok bool) { return s, decode(s[:], text) }

func (s Signature) String() string { return alphabet.EncodeToString(s[:]) }

// derive makes the key for signatures out of the server's secret, which has
// other uses.
func derive(secret []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("places of uploaded files"))
	return m.Sum(nil)
}

// Sign returns what lets its bearer fill the place id, once.
func (d *Depot) Sign(id ID) (s Signature) {
	m := hmac.New(sha256.New, d.key)
	m.Write(id[:])
	copy(s[:], m.Sum(nil))
	return s
}

func (d *Depot) signed(id ID, s Signature) bool {
	want := d.Sign(id)
	return hmac.Equal(want[:], s[:])
}
