// Package account holds who is here: accounts by bare JID and their sessions by
// resource. Everything of one account is touched on its loop only, so nothing
// is locked. It knows nothing of features.
package account

import (
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
)

// Sink is what a session writes to: the stream, a detached queue. Once the
// stream has ended its methods do nothing, and Sent reports false.
type Sink interface {
	// Write queues one whole stanza, copied, in the default namespace
	// jabber:client; it goes out at the end of the turn.
	Write(stanza []byte)
	// Pause stops reading from the client until Resume: what the last stanza
	// began has not ended yet.
	Pause()
	Resume()
	// Kick ends the stream with a stream error (RFC 6120 §4.9.3): condition is
	// the element's name, text may be "". The session is unbound later, by the
	// stream.
	Kick(condition, text string)
	// Sent calls done on the loop once everything written so far has left for
	// the kernel (true), or the stream has ended before (false).
	Sent(done func(ok bool))
}

// Prompt is a Sink that can do without the end of the turn. It is for what goes to
// many at a time: a session's memory is visited once, not once more to flush it.
type Prompt interface {
	// WriteNow is Write for a stanza that nothing more is known to follow in this
	// turn; it leaves at once if nothing waits before it.
	WriteNow(stanza []byte)
	// Ready reports whether WriteNow would hand it to the kernel at once.
	Ready() bool
}

// Account is a bare JID with at least one session.
type Account struct {
	JID      jid.JID
	Sessions []*Session // in the order they were bound
	Slots    Slots      // gone with the last session
	// Choosy says that the account has lists of whom it does not want to hear
	// (XEP-0191, XEP-0016).
	Choosy bool
}

// Session is a connected resource (RFC 6120 §7).
type Session struct {
	Account *Account
	JID     jid.JID // full
	Sink    Sink
	// Lang is the xml:lang of the client's stream, "" if it gave none.
	Lang string
	// ID is unlike that of any other session since the store was made. The bit
	// Thawed says that it was resumed after a restart.
	ID uint64

	// Presence is the last available presence as it was broadcast, to nobody
	// in particular; nil while the session is not available. It is written over
	// by the next one.
	Presence []byte
	Priority int8
	// Interested has asked for the roster and gets its pushes (RFC 6121 §2.2).
	Interested bool

	Slots Slots
	// Refuses, if not nil, tells stanzas for the account that this session does
	// not want (XEP-0016 §2.2: its active list).
	Refuses func(s *stanza.Stanza) bool

	// Talk is about whom the session has written to last.
	Talk Talk

	flags    uint32
	holds    int32
	directed []directed

	// Received counts the stanzas the client has sent, as XEP-0198 §4 does: from
	// stream management on, modulo 2^32.
	Received uint32
	// Lasting says that the session may be resumed after a restart of the
	// server. Its stanzas are told apart by ID and Received.
	Lasting bool
	// Done has what was dealt with before a restart and may come again: by number,
	// with what tells a stanza from others. nil if there is nothing.
	Done map[uint32]uint64

	// Unsettled has bit i mod 64 set if loop i may still be storing what this
	// session sent; a reply that means "done" waits for it.
	Unsettled uint64
	replies   *replies
}

// Available reports whether the session has sent initial presence
// (RFC 6121 §4.2) and not unavailable since.
func (s *Session) Available() bool { return s.Presence != nil }

// Refused reports whether the session does not want st.
func (s *Session) Refused(st *stanza.Stanza) bool { return s.Refuses != nil && s.Refuses(st) }

// Hold keeps the client's next stanzas unread until Release, so that they are
// handled after what the last one began (RFC 6120 §10.1). Holds nest.
func (s *Session) Hold() {
	if s.holds++; s.holds == 1 {
		s.Sink.Pause()
	}
}

// Release undoes one Hold.
func (s *Session) Release() {
	if s.holds--; s.holds == 0 {
		s.Sink.Resume()
	}
}

// Find returns the account's session of that resource, or nil.
func (a *Account) Find(resource string) *Session {
	for _, s := range a.Sessions {
		if s.JID.Resource() == resource {
			return s
		}
	}
	return nil
}

// Present reports whether any session is available.
func (a *Account) Present() bool {
	for _, s := range a.Sessions {
		if s.Available() {
			return true
		}
	}
	return false
}

// Thawed is a bit of Session.ID: the session goes on with what one of before a
// restart has sent.
const Thawed uint64 = 1 << 23
