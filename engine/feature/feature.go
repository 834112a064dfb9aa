// Package feature is the contract between the server and its features: what a
// feature may declare and what its handlers may touch. It knows no feature.
package feature

import (
	"meerkat/engine/account"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// Feature is one protocol feature. Every field but Name and Spec is optional.
//
// Handlers run on the loop of the account they are about and must not block;
// what must wait leaves by Ctx.Update or Ctx.Work. Views (stanzas, elements)
// die when the handler returns.
type Feature struct {
	Name string
	Spec string // RFC or XEP number, for "meerkat doc specs"

	// Disco is what a server's disco#info names, AccountDisco an account's.
	Disco        []string
	AccountDisco []string
	Identity     []Identity // of the server (XEP-0030 §3.1)
	// AccountIdentity is what an account is besides registered.
	AccountIdentity []Identity
	// Form, if any, is what the server's disco#info says beyond that (XEP-0128).
	Form *Form
	// Node, if any, answers disco#info and disco#items about a node of the server
	// (XEP-0030 §3.2, §4.2), and reports false if it is not one of the feature's.
	Node func(c *Ctx, q *stanza.Stanza) bool
	// AccountNode is Node for the account c.Owner, there or not, and whoever asks.
	// It is also asked for the account's items without a node.
	AccountNode func(c *Ctx, q *stanza.Stanza) bool

	// IQ are the requests that the server answers itself.
	IQ []IQ
	// Answer sees results and errors that a session sends to the server or to its
	// own account: answers to what a feature has asked it, known by their ids.
	Answer func(c *Ctx, s *stanza.Stanza)
	// Services are entities on domains of their own, such as rooms.
	Services []Service
	// Nonza are top-level elements that are no stanzas, from bound sessions.
	Nonza []Nonza
	// Stream is what the stream features offer before or after login.
	Stream []StreamFeature

	// Outbound sees the messages that a session of ours sends, before they are
	// routed; Inbound those that reach an account of ours. PresenceOut and
	// PresenceIn do the same for presence. engine/order.go says in which order.
	Outbound, Inbound       Stage
	PresenceOut, PresenceIn Stage

	// Resume, if any, is the one way to resume a session.
	Resume *Resumer
	// Inline, if any, can be asked for when a session is bound.
	Inline *Inline

	// Freeze appends what the feature has to know of a session when it is resumed
	// after a restart; nothing if that is nothing. Thaw gets it back then, and is
	// called in any case; the session has its last presence, which nobody has been
	// told of.
	Freeze func(s *account.Session, b []byte) []byte
	Thaw   func(c *Ctx, b []byte)

	Start   func(e *Env) // a loop begins its work
	Bound   func(c *Ctx) // a session is bound
	Unbound func(c *Ctx) // a session is gone; it is out of its account already
	// Removed prepares for the removal of the account c.Owner, whose data is
	// still there; what it returns, if not nil, runs when it is not any more.
	Removed func(c *Ctx) func()
}

// Service answers for a domain of its own. Every address of it lives on the loop
// of its bare JID (of the domain, if it has no localpart), where all that is
// sent to it arrives as for an account: Owner is the address's bare JID, Account
// and Session are nil.
type Service struct {
	Host     string // prepared
	Identity Identity
	Handle   func(c *Ctx, s *stanza.Stanza)
}

// Verdict is what a Stage decides.
type Verdict uint8

// Continue hands the stanza to the next stage; Done says that it has been dealt
// with: delivered, stored, answered or dropped with intent.
const (
	Continue Verdict = iota
	Done
)

// Stage is one step of a stanza's way. c.Owner is the account it is about: the
// sender of what goes out, the recipient of what comes in.
type Stage func(c *Ctx, s *stanza.Stanza) Verdict

// Identity is one of XEP-0030's: category and type from the registry.
type Identity struct{ Category, Type, Name string }

// Form is a form of results in disco#info: its FORM_TYPE, and its fields in order
// of their names. The types of fields are those of data forms, "" is text-single.
type Form struct {
	Type   string
	Fields []FormField
}

// FormField is one field, with at least one value.
type FormField struct {
	Var, Type string
	Values    []string
}

// Target says to whom an IQ is addressed that a handler answers.
type Target uint8

// The server itself; the sender's own account (no address, or its bare JID);
// another account's bare JID.
const (
	Server Target = 1 << iota
	Own
	Other
)

// IQ is a request the server answers.
type IQ struct {
	Type   stanza.Type // Get or Set; Invalid means both
	Space  string      // the payload's namespace
	Local  string      // and name
	To     Target      // to any of these
	Handle func(c *Ctx, q *stanza.Stanza)
}

// GetIQ declares a handler for <iq type='get'> with that payload.
func GetIQ(to Target, space, local string, h func(*Ctx, *stanza.Stanza)) IQ {
	return IQ{stanza.Get, space, local, to, h}
}

// SetIQ declares a handler for <iq type='set'> with that payload.
func SetIQ(to Target, space, local string, h func(*Ctx, *stanza.Stanza)) IQ {
	return IQ{stanza.Set, space, local, to, h}
}

// Nonza is a top-level element that is no stanza, handled once bound.
type Nonza struct {
	Space  string
	Handle func(c *Ctx, e xml.Elem)
}

// StreamFeature is a child of <stream:features/>.
type StreamFeature struct {
	Bound  bool // offered with resource binding, after login; else before login
	Append func(c *Ctx, b *xml.Builder, host string)
}

var _ = account.Session{}
