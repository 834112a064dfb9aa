package load

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"sync"
)

// hashes are those of the SCRAM mechanisms (RFC 5802, RFC 7677).
var hashes = map[string]func() hash.Hash{
	"SCRAM-SHA-1":   sha1.New,
	"SCRAM-SHA-256": sha256.New,
	"SCRAM-SHA-512": sha512.New,
}

// scram is one exchange, as a client without channel binding.
type scram struct {
	hash     func() hash.Hash
	bare     string // client-first-message-bare
	nonce    string
	password string
	verifier []byte // what the server must answer
}

func newScram(mech, user, password string) (*scram, error) {
	h, ok := hashes[mech]
	if !ok {
		return nil, fmt.Errorf("load: mechanism %q is not known", mech)
	}
	nonce := rand.Text()
	return &scram{hash: h, nonce: nonce, password: password, bare: "n=" + user + ",r=" + nonce}, nil
}

func (s *scram) first() string { return "n,," + s.bare }

var errSCRAM = errors.New("load: the server's SCRAM message makes no sense")

// final answers the server-first-message.
func (s *scram) final(serverFirst []byte) (string, error) {
	var nonce string
	var salt []byte
	iterations := 0
	for field := range bytes.SplitSeq(serverFirst, []byte(",")) {
		if len(field) < 2 || field[1] != '=' {
			continue
		}
		switch value := string(field[2:]); field[0] {
		case 'r':
			nonce = value
		case 's':
			salt, _ = base64.StdEncoding.DecodeString(value)
		case 'i':
			iterations, _ = strconv.Atoi(value)
		}
	}
	if len(salt) == 0 || iterations < 1 || len(nonce) <= len(s.nonce) || nonce[:len(s.nonce)] != s.nonce {
		return "", errSCRAM
	}
	keys := derive(s.hash, s.password, salt, iterations)
	message := "c=biws,r=" + nonce
	signed := s.bare + "," + string(serverFirst) + "," + message
	proof := s.mac(keys.stored, signed)
	for i := range proof {
		proof[i] ^= keys.client[i]
	}
	s.verifier = s.mac(keys.server, signed)
	return message + ",p=" + base64.StdEncoding.EncodeToString(proof), nil
}

// check judges the server-final-message: the server must know the keys too.
func (s *scram) check(serverFinal []byte) error {
	want := "v=" + base64.StdEncoding.EncodeToString(s.verifier)
	if field, _, _ := bytes.Cut(serverFinal, []byte(",")); string(field) != want {
		return errSCRAM
	}
	return nil
}

func (s *scram) mac(key []byte, message string) []byte {
	m := hmac.New(s.hash, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}

// keys are what a client may remember of an account (RFC 5802 section 3).
type keys struct{ client, stored, server []byte }

// known remembers keys by hash size, password, salt and iterations, so that
// only an account's first login costs the client a key derivation. Accounts
// that the bench seeds share one salt.
var known sync.Map

func derive(h func() hash.Hash, password string, salt []byte, iterations int) keys {
	id := fmt.Sprint(h().Size(), password, string(salt), iterations)
	if k, ok := known.Load(id); ok {
		return k.(keys)
	}
	salted, err := pbkdf2.Key(h, password, salt, iterations, h().Size())
	if err != nil {
		panic(err) // only a key length out of range
	}
	s := scram{hash: h}
	k := keys{client: s.mac(salted, "Client Key"), server: s.mac(salted, "Server Key")}
	d := h()
	d.Write(k.client)
	k.stored = d.Sum(nil)
	known.Store(id, k)
	return k
}

// plain is the initial response of PLAIN (RFC 4616).
func plain(user, password string) string { return "\x00" + user + "\x00" + password }
