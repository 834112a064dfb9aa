package stanza

import "meerkat/xml"

// errorSpace is the namespace of stanza error conditions (RFC 6120 §8.3.2).
const errorSpace = "urn:ietf:params:xml:ns:xmpp-stanzas"

// Condition is a stanza error of RFC 6120 §8.3.3. OK is none.
type Condition uint8

// The defined conditions. Undefined is not sent: it says that there is no
// stanza to answer.
const (
	OK Condition = iota
	Undefined
	BadRequest
	Conflict
	FeatureNotImplemented
	Forbidden
	Gone
	InternalServerError
	ItemNotFound
	JIDMalformed
	NotAcceptable
	NotAllowed
	NotAuthorized
	PolicyViolation
	RecipientUnavailable
	RegistrationRequired
	RemoteServerNotFound
	RemoteServerTimeout
	ResourceConstraint
	ServiceUnavailable
	SubscriptionRequired
	UnexpectedRequest
	Blocked // not-acceptable, for good (XEP-0191 §3.3)
)

// conditions gives each condition the error type that RFC 6120 §8.3.3
// recommends.
var conditions = [...]struct{ name, kind string }{
	BadRequest:            {"bad-request", "modify"},
	Conflict:              {"conflict", "cancel"},
	FeatureNotImplemented: {"feature-not-implemented", "cancel"},
	Forbidden:             {"forbidden", "auth"},
	Gone:                  {"gone", "cancel"},
	InternalServerError:   {"internal-server-error", "cancel"},
	ItemNotFound:          {"item-not-found", "cancel"},
	JIDMalformed:          {"jid-malformed", "modify"},
	NotAcceptable:         {"not-acceptable", "modify"},
	NotAllowed:            {"not-allowed", "cancel"},
	NotAuthorized:         {"not-authorized", "auth"},
	PolicyViolation:       {"policy-violation", "modify"},
	RecipientUnavailable:  {"recipient-unavailable", "wait"},
	RegistrationRequired:  {"registration-required", "auth"},
	RemoteServerNotFound:  {"remote-server-not-found", "cancel"},
	RemoteServerTimeout:   {"remote-server-timeout", "wait"},
	ResourceConstraint:    {"resource-constraint", "wait"},
	ServiceUnavailable:    {"service-unavailable", "cancel"},
	SubscriptionRequired:  {"subscription-required", "auth"},
	UnexpectedRequest:     {"unexpected-request", "wait"},
	Blocked:               {"not-acceptable", "cancel"},
}

// String returns the condition's element name.
func (c Condition) String() string { return conditions[c].name }

// Error makes a Condition usable as an error inside the server.
func (c Condition) Error() string { return conditions[c].name }

// Bounces reports whether an error may be sent in answer to s: never to an
// error or a result (RFC 6120 §8.3.1), nor to presence but a subscription.
func (s *Stanza) Bounces() bool {
	switch s.Kind {
	case IQ:
		return s.Type != Result && s.Type != Error
	case Message:
		return s.Type != Error
	}
	return s.Type != Error
}

// AppendError appends the error c in answer to s: addresses exchanged, id kept.
// text may be "". Only who may answer s at all calls it: see Bounces.
func (s *Stanza) AppendError(dst []byte, c Condition, text string) []byte {
	return s.AppendErrorWith(dst, c, text, nil)
}

// AppendErrorWith is AppendError with an application-specific condition
// (RFC 6120 §8.3.4), which specific builds.
func (s *Stanza) AppendErrorWith(dst []byte, c Condition, text string, specific func(b *xml.Builder)) []byte {
	var b xml.Builder
	b.Reset(dst, Client)
	s.startReply(&b, Error)
	b.Start("error", "").Attr("type", conditions[c].kind)
	b.Start(conditions[c].name, errorSpace).End()
	if text != "" {
		b.Start("text", errorSpace).Attr("xml:lang", "en").Text(text).End()
	}
	if specific != nil {
		specific(&b)
	}
	return b.End().End().Bytes()
}

// AppendResult appends the result of the IQ s with what payload builds (nil:
// none).
func (s *Stanza) AppendResult(dst []byte, payload func(b *xml.Builder)) []byte {
	var b xml.Builder
	b.Reset(dst, Client)
	s.startReply(&b, Result)
	if payload != nil {
		payload(&b)
	}
	return b.End().Bytes()
}

func (s *Stanza) startReply(b *xml.Builder, t Type) {
	b.Start(s.Kind.String(), "").Attr("type", t.String())
	if len(s.ID) > 0 {
		b.AttrBytes("id", s.ID)
	}
	b.OptAttr("from", s.To.String()).OptAttr("to", s.From.String())
}
