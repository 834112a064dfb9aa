package jid

// Error is why a string is not an address. Its stanza error is jid-malformed
// (RFC 6120 §8.3.3.8).
type Error uint8

// What can be wrong: a part that is there but empty, one with a code point or
// label that its profile refuses, and one over MaxPart octets.
const (
	ErrEmptyLocal Error = iota + 1
	ErrLocal
	ErrLongLocal
	ErrEmptyDomain
	ErrDomain
	ErrLongDomain
	ErrEmptyResource
	ErrResource
	ErrLongResource
)

var texts = [...]string{
	ErrEmptyLocal:    "localpart is empty",
	ErrLocal:         "localpart has a character that is not allowed there",
	ErrLongLocal:     "localpart is longer than 1023 octets",
	ErrEmptyDomain:   "domainpart is empty",
	ErrDomain:        "domainpart is not a domain name or IPv6 literal",
	ErrLongDomain:    "domainpart is longer than 1023 octets",
	ErrEmptyResource: "resourcepart is empty",
	ErrResource:      "resourcepart has a character that is not allowed there",
	ErrLongResource:  "resourcepart is longer than 1023 octets",
}

// Error returns a sentence fit for a stanza error's text.
func (e Error) Error() string { return texts[e] }
