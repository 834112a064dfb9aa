package feature

import (
	"meerkat/engine/account"
	"meerkat/engine/jid"
	"meerkat/xml"
)

// Resumer gives clients that have logged in the session they had, in place of a
// new one (XEP-0198 §5).
type Resumer struct {
	Space string // of the elements that Resume gets, between login and binding
	// Resume must call r.Done, now or later, on the loop of the owner, where it
	// is called.
	Resume func(r *Resumption, e xml.Elem)
	// Early is what such an element hears before login, ahead of the stream's
	// end; nil is nothing.
	Early func(e xml.Elem) []byte
}

// Inline is what a client may ask for along with a resource (XEP-0386 §3.2), by
// an element of this namespace.
type Inline struct {
	Space string
	// Unasked says that nobody asks for it, nor is it offered: it is done for every
	// session that is bound along with its login, and Handle gets no element.
	Unasked bool
	// Handle must call done, now or later, with what <bound/> is to say; nil is
	// nothing.
	Handle func(c *Ctx, e xml.Elem, done func(answer []byte))
}

// Resumption is one client's request for its session.
type Resumption struct {
	*Env
	Owner  jid.JID
	Stream account.Carrier
	// Done ends the request with an element to answer. s is the session, carried
	// by Stream already, and start is called once the answer is written; or s is
	// nil, and the client may bind a resource instead.
	Done func(s *account.Session, answer []byte, start func())
}
