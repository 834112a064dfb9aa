package roster

import "meerkat/engine/stanza"

// State is what an account and a contact are to each other: flags.
type State uint8

// To: we get the contact's presence. From: it gets ours. Ask: we have asked for
// it and wait (pending out). In: it has asked us (pending in). Approved: should
// it ask, it is granted (pre-approval, RFC 6121 §3.4). Listed: the item is in
// the roster that clients see.
const (
	To State = 1 << iota
	From
	Ask
	In
	Approved
	Listed

	both      = To | From
	appendixA = To | From | Ask | In // the states of RFC 6121 Appendix A.1
)

// Subscription returns the value of the item's subscription attribute
// (RFC 6121 §2.1.2.5).
func (s State) Subscription() string {
	return [...]string{"none", "to", "from", "both"}[s&both]
}

// Effect is what an event asks for besides the change of state.
type Effect uint8

// Pass: route the outbound stanza, or deliver the inbound one. Grant: answer an
// inbound subscribe with subscribed, unasked.
const (
	Pass Effect = 1 << iota
	Grant
)

type step struct {
	next   State
	effect Effect
}

// column is one event's column of a table of Appendix A: state to step. A state
// that is not in it does not change and has no effect.
type column map[State]step

// outbound is Appendix A.2: what our user sends.
var outbound = map[stanza.Type]column{
	stanza.Subscribe: {
		0:          {Ask, Pass},
		Ask:        {Ask, Pass},
		In:         {Ask | In, Pass},
		Ask | In:   {Ask | In, Pass},
		To:         {To, Pass},
		To | In:    {To | In, Pass},
		From:       {From | Ask, Pass},
		From | Ask: {From | Ask, Pass},
		both:       {both, Pass},
	},
	stanza.Unsubscribe: {
		0:          {0, Pass},
		Ask:        {0, Pass},
		In:         {In, Pass},
		Ask | In:   {In, Pass},
		To:         {0, Pass},
		To | In:    {In, Pass},
		From:       {From, Pass},
		From | Ask: {From, Pass},
		both:       {From, Pass},
	},
	stanza.Subscribed: {
		In:       {From, Pass},
		Ask | In: {From | Ask, Pass},
		To | In:  {both, Pass},
	},
	stanza.Unsubscribed: {
		In:         {0, Pass},
		Ask | In:   {Ask, Pass},
		To | In:    {To, Pass},
		From:       {0, Pass},
		From | Ask: {Ask, Pass},
		both:       {To, Pass},
	},
}

// inbound is Appendix A.3: what the contact sends.
var inbound = map[stanza.Type]column{
	stanza.Subscribe: {
		0:          {In, Pass},
		Ask:        {Ask | In, Pass},
		To:         {To | In, Pass},
		From:       {From, Grant},
		From | Ask: {From | Ask, Grant},
		both:       {both, Grant},
	},
	stanza.Unsubscribe: {
		In:         {0, Pass},
		Ask | In:   {Ask, Pass},
		To | In:    {To, Pass},
		From:       {0, Pass},
		From | Ask: {Ask, Pass},
		both:       {To, Pass},
	},
	stanza.Subscribed: {
		Ask:        {To, Pass},
		Ask | In:   {To | In, Pass},
		From | Ask: {both, Pass},
	},
	stanza.Unsubscribed: {
		Ask:        {0, Pass},
		Ask | In:   {In, Pass},
		To:         {0, Pass},
		To | In:    {In, Pass},
		From | Ask: {From, Pass},
		both:       {From, Pass},
	},
}

// Outbound is what becomes of s when our user sends t. A subscribed that grants
// nothing yet approves in advance, an unsubscribed takes that back
// (RFC 6121 §3.4).
func (s State) Outbound(t stanza.Type) (State, Effect) {
	next, effect := s.walk(outbound[t])
	switch {
	case t == stanza.Subscribed && effect == 0 && s&From == 0:
		next |= Approved
	case t == stanza.Unsubscribed || t == stanza.Subscribed:
		next &^= Approved
	}
	return next, effect
}

// Inbound is what becomes of s when the contact sends t.
func (s State) Inbound(t stanza.Type) (State, Effect) {
	if t == stanza.Subscribe && s&Approved != 0 {
		return s&^(In|Approved) | From, Grant
	}
	return s.walk(inbound[t])
}

func (s State) walk(c column) (State, Effect) {
	st, ok := c[s&appendixA]
	if !ok {
		return s, 0
	}
	return s&^appendixA | st.next, st.effect
}
