package feature

import (
	"net/netip"

	"meerkat/engine/account"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// PreAuth answers requests on a stream that nobody has logged in on, such as
// in-band registration (XEP-0077 §3.1). Everything that no PreAuth asks for
// ends such a stream.
type PreAuth struct {
	Space string // of the request's payload
	// Handle must answer q, now or later. It is not called where TLS is required
	// and not on.
	Handle func(c *PreAuthCtx, q *stanza.Stanza)
}

// PreAuthCtx is what a PreAuth handler gets. It may be kept, and used on the
// same loop at any later time: a stream that has ended takes no notice.
type PreAuthCtx struct {
	*Env                // of the loop the stream is on, whoever will own it
	Host   string       // the domain the stream is for
	Remote netip.Addr   // where the client comes from
	Secure bool         // TLS is on
	Stream account.Sink // of the client
	// Memo is a place for what the client has said that counts until it logs in.
	// There is one for each stream.
	Memo *any
}

// Result answers q with what payload builds; nil means an empty result.
func (c *PreAuthCtx) Result(q *stanza.Stanza, payload func(b *xml.Builder)) {
	b := q.AppendResult(c.Scratch(), payload)
	c.Stream.Write(b)
	c.Keep(b)
}

// Fail answers q with an error, if q may be answered with one.
func (c *PreAuthCtx) Fail(q *stanza.Stanza, cond stanza.Condition, text string) {
	if !q.Bounces() {
		return
	}
	b := q.AppendError(c.Scratch(), cond, text)
	c.Stream.Write(b)
	c.Keep(b)
}

// PreAuthRequest is a request to be answered after the handler has returned.
type PreAuthRequest struct {
	c *PreAuthCtx
	q stanza.Stanza
}

// Later keeps what is needed to answer q. Nothing more is read from the stream
// until the answer.
func (c *PreAuthCtx) Later(q *stanza.Stanza) *PreAuthRequest {
	r := &PreAuthRequest{c, stanza.Stanza{Kind: q.Kind, Type: q.Type, To: q.To.Clone()}}
	r.q.ID = append([]byte(nil), q.ID...)
	c.Stream.Pause()
	return r
}

// Result answers as PreAuthCtx.Result does.
func (r *PreAuthRequest) Result(payload func(b *xml.Builder)) {
	r.c.Result(&r.q, payload)
	r.c.Stream.Resume()
}

// Fail answers as PreAuthCtx.Fail does.
func (r *PreAuthRequest) Fail(cond stanza.Condition, text string) {
	r.c.Fail(&r.q, cond, text)
	r.c.Stream.Resume()
}
