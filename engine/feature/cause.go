package feature

import (
	"encoding/binary"
	"strings"

	"meerkat/store"
)

// Sessions are the sessions that outlive a restart: of the bare JID, by session.
// What a row says is the business of stream management.
var Sessions = store.NewMap("sm")

// causes marks the stanzas of sessions of ours that have been stored for their
// recipient: of the sender's bare JID, by session and number. After a crash the
// sender's client sends what nobody acknowledged again (XEP-0198 §5); what is
// marked is not taken twice. Its count is how many have been acknowledged.
var causes = store.NewQueue("handled", Sessions)

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

// mark is what tells the stanza from others.
func (c Cause) mark() []byte { return binary.BigEndian.AppendUint64(nil, c.Print) }

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
		return causes.Keep(tx, c.Owner, c.Session, uint64(c.Number), c.mark())
	}
}

// Mark is Once for a stanza that is stored by r.
func (e *Env) Mark(r *store.Records) error {
	c := &e.cause
	if c.Session == 0 {
		return nil
	}
	var print [8]byte
	binary.BigEndian.PutUint64(print[:], c.Print)
	return causes.Put(r, c.Owner, c.Session, uint64(c.Number), print[:])
}

// Handled returns how many stanzas of a session have been acknowledged, and those
// that are marked: by number, with what tells them from others.
func Handled(tx *store.Tx, owner string, session uint64) (h uint32, marks map[uint32]uint64) {
	_ = causes.Each(tx, owner, session, func(n uint64, v []byte) error {
		if len(v) != 8 {
			return nil
		}
		if marks == nil {
			marks = make(map[uint32]uint64)
		}
		marks[uint32(n)] = binary.BigEndian.Uint64(v)
		return nil
	})
	upTo, _ := causes.Counted(tx, owner, session)
	return uint32(upTo), marks
}

// PutHandled stores what Handled returns.
func PutHandled(tx *store.Tx, owner string, session uint64, h uint32, marks map[uint32]uint64) error {
	for n, print := range marks {
		if err := causes.Keep(tx, owner, session, uint64(n), Cause{Print: print}.mark()); err != nil {
			return err
		}
	}
	return causes.KeepCount(tx, owner, session, uint64(h))
}

// CountHandled stores that so many stanzas of a session are acknowledged: their
// marks are not needed any more.
func CountHandled(r *store.Records, owner string, session uint64, h uint32) error {
	return causes.Count(r, owner, session, uint64(h))
}

// DropHandled removes all about the stanzas of a session.
func DropHandled(tx *store.Tx, owner string, session uint64) error {
	return causes.Drop(tx, owner, session)
}
