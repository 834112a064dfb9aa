// Package stanza reads the three stanzas of RFC 6120 §8 from views of XML, and
// writes their errors and replies. It knows nothing of sessions and rosters.
package stanza

import (
	"meerkat/engine/jid"
	"meerkat/xml"
)

// Client is the content namespace of clients' streams.
const Client = "jabber:client"

// Kind tells the stanzas apart.
type Kind uint8

// The three kinds (RFC 6120 §8.2).
const (
	None Kind = iota
	Message
	Presence
	IQ
)

var kindNames = [...]string{Message: "message", Presence: "presence", IQ: "iq"}

// String returns the element's name.
func (k Kind) String() string { return kindNames[k] }

// Type is the value of a stanza's type attribute, of any kind.
type Type uint8

// The types of messages (RFC 6121 §5.2.2), presence (§4.7.1) and IQs (RFC 6120
// §8.2.3). Available is presence without a type.
const (
	Invalid Type = iota
	Normal
	Chat
	Groupchat
	Headline
	Available
	Unavailable
	Subscribe
	Subscribed
	Unsubscribe
	Unsubscribed
	Probe
	Get
	Set
	Result
	Error
)

var typeNames = [...]string{
	Normal: "normal", Chat: "chat", Groupchat: "groupchat", Headline: "headline",
	Unavailable: "unavailable", Subscribe: "subscribe", Subscribed: "subscribed",
	Unsubscribe: "unsubscribe", Unsubscribed: "unsubscribed", Probe: "probe",
	Get: "get", Set: "set", Result: "result", Error: "error",
}

// String returns the attribute's value; Available has none.
func (t Type) String() string { return typeNames[t] }

// Stanza is a view of one stanza: it borrows the bytes of Elem, and so do ID
// and Lang, and From and To unless they were cloned. To is good until the next
// Read.
type Stanza struct {
	Kind Kind
	Type Type
	// From is who really sent it: a session's full JID, stamped by the server.
	From jid.JID
	// Claimed is who the element says sent it, nil if it does not.
	Claimed []byte
	// To is zero if the sender gave none.
	To jid.JID
	ID []byte
	// Lang is the stanza's xml:lang, else that of the sender's stream.
	Lang []byte
	Elem xml.Elem
	// Tail is XML that the server adds as last children, such as an archive id
	// or a delay. Strip, if not nil, tells which children of Elem are left out:
	// what only the server may say.
	Tail  []byte
	Strip func(child xml.Elem) bool

	before   []byte  // To of the Read before, if it needs no preparation
	repeats  bool    // see Repeats
	relayed  bool    // see Relayed
	had      had     // what Elem says of itself
	marks    marks   // see Stamped
	sentFrom jid.JID // From when it was relayed
	sentTo   jid.JID // To as Elem has it
	// Again says that a message has passed the recipient's stages before, and
	// been handed to a resource that is gone.
	Again bool
}

// Payload returns an IQ's child; there is exactly one in a request.
func (s *Stanza) Payload() xml.Elem { return s.Elem.First() }

// Request reports whether s is an IQ that must be answered.
func (s *Stanza) Request() bool { return s.Kind == IQ && (s.Type == Get || s.Type == Set) }

// Subscription reports whether s is presence that manages a subscription
// (RFC 6121 §3).
func (s *Stanza) Subscription() bool {
	return s.Kind == Presence && s.Type >= Subscribe && s.Type <= Unsubscribed
}

// Read fills s from e, a top-level element in the content namespace. From stays
// as it is: the caller knows who sent it, the element only claims.
//
// It returns Undefined if e is no stanza at all (the stream error
// unsupported-stanza-type, RFC 6120 §4.9.3.24), or the stanza error to send
// back, with s filled as far as that needs.
func (s *Stanza) Read(e xml.Elem) Condition {
	s.Elem, s.Tail, s.Strip, s.Again = e, nil, nil, false
	s.relayed, s.had, s.marks = false, 0, 0
	s.Kind = kindOf(e)
	if s.Kind == None {
		return Undefined
	}
	a := e.Address()
	s.ID, s.Lang, s.Claimed = a.ID, a.Lang, a.From
	s.Type = typeOf(s.Kind, a.Type)
	if s.repeats = len(s.before) > 0 && string(a.To) == string(s.before); s.repeats {
		s.To, s.had = s.sentTo, hadTo
	} else if !s.readTo(a.To) {
		return JIDMalformed
	}
	if a.Lang != nil {
		s.had |= hadLang
	}
	if s.Type == Invalid || s.Kind == IQ && !wellFormedIQ(s) {
		return BadRequest
	}
	return OK
}

// readTo reads an address. It keeps a copy: in a burst the next stanza is for the
// same one.
func (s *Stanza) readTo(to []byte) (ok bool) {
	s.To, s.sentTo, s.before = jid.JID{}, jid.JID{}, s.before[:0]
	if to == nil {
		return true
	}
	j, err := jid.View(to)
	if err != nil {
		return false
	}
	s.To = j
	if j.String() == string(to) {
		s.before = append(s.before, to...)
		s.To = j.In(s.before)
		s.sentTo = s.To
		s.had |= hadTo
	}
	return true
}

// Repeats reports that To is that of the stanza that was read into s before.
func (s *Stanza) Repeats() bool { return s.repeats }

// Straight reports that To is as Elem has it.
func (s *Stanza) Straight() bool { return s.had&hadTo != 0 && s.To == s.sentTo }

func kindOf(e xml.Elem) Kind {
	if string(e.Space()) != Client {
		return None
	}
	switch string(e.Local()) {
	case "message":
		return Message
	case "presence":
		return Presence
	case "iq":
		return IQ
	}
	return None
}

// typeOf judges a type attribute. An unknown message type means normal
// (RFC 6121 §5.2.2), any other unknown type is an error.
func typeOf(k Kind, v []byte) Type {
	switch k {
	case Message:
		switch string(v) {
		case "chat":
			return Chat
		case "groupchat":
			return Groupchat
		case "headline":
			return Headline
		case "error":
			return Error
		}
		return Normal
	case IQ:
		return typeIn(v, Get, Error)
	}
	if v == nil {
		return Available
	}
	if string(v) == "error" {
		return Error
	}
	return typeIn(v, Unavailable, Probe)
}

func typeIn(v []byte, from, to Type) Type {
	for t := from; t <= to; t++ {
		if string(v) == typeNames[t] {
			return t
		}
	}
	return Invalid
}

// wellFormedIQ holds an IQ against RFC 6120 §8.2.3: an id, exactly one child
// in a request, at most one in a result.
func wellFormedIQ(s *Stanza) bool {
	if len(s.ID) == 0 {
		return false
	}
	first := s.Elem.First()
	switch s.Type {
	case Get, Set:
		return first.OK() && !first.Next().OK()
	case Result:
		return !first.OK() || !first.Next().OK()
	}
	return true
}

// Relayed says that Elem is as Append writes it, with From and To as they are
// now: another router of ours has written it. It need not be edited again.
func (s *Stanza) Relayed() {
	s.relayed, s.sentFrom, s.sentTo = true, s.From, s.To
	s.had = hadTo | hadLang
}

// Append appends s as it is relayed inside one domain: content namespace
// jabber:client as the default, from stamped, to filled in, xml:lang of the
// sender's stream kept (RFC 6120 §8.1.5), without what Strip names, Tail at the
// end.
func (s *Stanza) Append(dst []byte) []byte { return s.AppendIn(dst, Client) }

// AppendIn is Append where the default namespace is space: not Client where the
// stanza is forwarded inside another one.
func (s *Stanza) AppendIn(dst []byte, space string) []byte {
	if space == Client && s.unchanged() {
		return append(dst, s.Elem.Raw()...)
	}
	ed := xml.Edit{Skip: s.Strip, Tail: s.Tail, Fresh: true}
	if !s.relayed || s.From != s.sentFrom {
		ed.From = bytesOf(s.From.String())
		ed.Fresh = !s.relayed && s.Claimed == nil
	}
	if s.had&hadLang == 0 && len(s.Lang) > 0 {
		ed.Lang = s.Lang
	}
	if !s.Straight() && !s.To.IsZero() {
		ed.To, ed.Fresh = bytesOf(s.To.String()), false
	}
	return s.Elem.AppendEdited(dst, space, &ed)
}

// Ready returns what Append would append if that is there already, borrowed like
// Elem, else nil.
func (s *Stanza) Ready() []byte {
	if s.unchanged() {
		return s.Elem.Raw()
	}
	return nil
}

// unchanged reports that Elem is s as it is written.
func (s *Stanza) unchanged() bool {
	return s.relayed && s.Strip == nil && len(s.Tail) == 0 && s.From == s.sentFrom && s.To == s.sentTo
}

// had tells which attributes Elem has: a To that is written as it is prepared,
// and a language.
type had uint8

const (
	hadTo had = 1 << iota
	hadLang
)

// marks is what is known about the children.
type marks uint8

const (
	judged  marks = 1 << iota // the other bits are known
	stamped                   // see Stamped
)

// Stamped reports whether there is a child that has the name of what servers
// put into stanzas: a stanza-id (XEP-0359) or a delay (XEP-0203). What is on its
// way to another loop takes the answer with it.
func (s *Stanza) Stamped() bool {
	if s.marks&judged == 0 {
		s.marks |= judged
		for e := s.Elem.First(); e.OK(); e = e.Next() {
			if name := e.Local(); string(name) == "delay" || string(name) == "stanza-id" {
				s.marks |= stamped
			}
		}
	}
	return s.marks&stamped != 0
}
