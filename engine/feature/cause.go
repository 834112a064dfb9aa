package feature

import (
	"encoding/binary"
	"strings"

	"meerkat/store"
)

// causes marks the stanzas of sessions of ours that have been stored for their
// recipient: of the sender's bare JID, by session and number. After a crash the
// sender's client sends what nobody acknowledged again (XEP-0198 §5); what is
// marked is not taken twice.
var causes = store.NewMap("handled")

// Cause is the stanza that something is done for: the one of this number that a
// session, account.Session.Lasting, has sent.
type Cause struct {
	Owner   string // bare JID
	Session uint64
	Number  uint32
	Print   uint64 // tells it from others that have the number by mistake
}

func (c Cause) clone() Cause {
	if c.Session != 0 {
		c.Owner = strings.Clone(c.Owner)
	}
	return c
}

// key puts the marks of a session in a row.
func (c Cause) key() string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], c.Session)
	binary.BigEndian.PutUint32(b[8:], c.Number)
	return string(b[:])
}

// Cause is what the handler that runs was called for.
func (e *Env) Cause() Cause { return e.cause.clone() }

// Because runs fn with c as the cause of what it does, updates and their ends
// included.
func (e *Env) Because(c Cause, fn func()) {
	outer := e.cause
	defer func() { e.cause = outer }() // after a panic as well
	e.cause = c
	fn()
}

// Once returns what to call within the transaction that stores a stanza for its
// recipient, so that the same stanza is not taken again.
func (e *Env) Once() func(tx *store.Tx) error {
	c := e.cause.clone()
	return func(tx *store.Tx) error {
		if c.Session == 0 {
			return nil
		}
		return causes.Put(tx, c.Owner, c.key(), binary.BigEndian.AppendUint64(nil, c.Print))
	}
}

// Handled returns the stanzas of a session that are marked: by number, with what
// tells them from others.
func Handled(tx *store.Tx, owner string, session uint64) (marks map[uint32]uint64) {
	_ = eachHandled(tx, owner, session, func(_ string, n uint32, print uint64) error {
		if marks == nil {
			marks = make(map[uint32]uint64)
		}
		marks[n] = print
		return nil
	})
	return marks
}

// PutHandled marks stanzas of a session.
func PutHandled(tx *store.Tx, owner string, session uint64, marks map[uint32]uint64) error {
	for n, print := range marks {
		c := Cause{owner, session, n, print}
		if err := causes.Put(tx, owner, c.key(), binary.BigEndian.AppendUint64(nil, print)); err != nil {
			return err
		}
	}
	return nil
}

// ForgetHandled removes the marks of a session up to a number, modulo 2^32.
func ForgetHandled(tx *store.Tx, owner string, session uint64, upTo uint32) error {
	return removeHandled(tx, owner, session, func(n uint32) bool { return int32(n-upTo) <= 0 })
}

// ForgetAllHandled removes all marks of a session.
func ForgetAllHandled(tx *store.Tx, owner string, session uint64) error {
	return removeHandled(tx, owner, session, func(uint32) bool { return true })
}

func removeHandled(tx *store.Tx, owner string, session uint64, is func(n uint32) bool) error {
	var keys []string
	err := eachHandled(tx, owner, session, func(key string, n uint32, _ uint64) error {
		if is(n) {
			keys = append(keys, key)
		}
		return nil
	})
	for _, k := range keys {
		if err := causes.Delete(tx, owner, k); err != nil {
			return err
		}
	}
	return err
}

func eachHandled(tx *store.Tx, owner string, session uint64, fn func(key string, n uint32, print uint64) error) error {
	prefix := Cause{Session: session}.key()[:8]
	return causes.EachFrom(tx, owner, prefix, func(key string, v []byte) error {
		if !strings.HasPrefix(key, prefix) || len(key) != 12 || len(v) != 8 {
			return store.ErrStop
		}
		return fn(key, binary.BigEndian.Uint32([]byte(key[8:])), binary.BigEndian.Uint64(v))
	})
}
