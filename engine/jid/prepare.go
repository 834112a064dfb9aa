package jid

import (
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/secure/precis"
)

// forbidden is what a localpart may not contain (RFC 7622 §3.3.1).
const forbidden = `"&'/:<>@`

// rawFactor bounds work on hostile input: preparation makes a string at most
// four times shorter, so what is longer than rawFactor*MaxPart can't be saved.
const rawFactor = 4

// toUnicode is IDNA2008 with the mappings of UTS 46 (case, width, ideographic
// dots), the Bidi rule and LDH ASCII only. Label lengths are DNS's business.
// Differs from RFC 5892: symbols that UTS 46 lets pass, such as emoji, pass.
var toUnicode = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false))

// PrepareLocal applies UsernameCaseMapped (RFC 8265 §3.3) and the exclusions of
// RFC 7622 §3.3.1. err is an Error.
func PrepareLocal(s string) (string, error) {
	if s == "" {
		return "", ErrEmptyLocal
	}
	if only(s, inLocal) {
		return s, nil
	}
	return mapLocal(s)
}

func mapLocal(s string) (string, error) {
	p, err := enforce(precis.UsernameCaseMapped, s, ErrLocal, ErrLongLocal)
	if err == nil && strings.ContainsAny(p, forbidden) {
		return "", ErrLocal
	}
	return p, err
}

// PrepareResource applies OpaqueString (RFC 8265 §4.2). err is an Error.
func PrepareResource(s string) (string, error) {
	if s == "" {
		return "", ErrEmptyResource
	}
	if only(s, inResource) {
		return s, nil
	}
	return mapResource(s)
}

func mapResource(s string) (string, error) {
	return enforce(precis.OpaqueString, s, ErrResource, ErrLongResource)
}

// PrepareDomain lower-cases s, turns A-labels into U-labels and drops a final
// dot (RFC 7622 §3.2). An IPv6 literal comes out as RFC 5952 writes it. err is
// an Error.
func PrepareDomain(s string) (string, error) {
	if plainDomain(s) {
		return s, nil
	}
	return mapDomain(s)
}

func mapDomain(s string) (string, error) {
	switch {
	case strings.HasPrefix(s, "["):
		return prepareIP(s)
	case len(s) > rawFactor*MaxPart:
		return "", ErrLongDomain
	case !utf8.ValidString(s) || longLabel(s):
		return "", ErrDomain
	}
	p, err := toUnicode.ToUnicode(s)
	if err != nil {
		return "", ErrDomain
	}
	return checkDomain(strings.TrimSuffix(p, "."))
}

// checkDomain judges a domain that IDNA has let pass.
func checkDomain(s string) (string, error) {
	switch {
	case s == "":
		return "", ErrEmptyDomain
	case len(s) > MaxPart:
		return "", ErrLongDomain
	case s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, ".."):
		return "", ErrDomain
	}
	for i := range len(s) {
		if s[i] < utf8.RuneSelf && classes[s[i]]&inDomain == 0 {
			return "", ErrDomain
		}
	}
	return s, nil
}

// prepareIP reads an IPv6 literal in brackets. Zones are of no use to a peer.
func prepareIP(s string) (string, error) {
	if len(s) > 64 || s[len(s)-1] != ']' {
		return "", ErrDomain
	}
	a, err := netip.ParseAddr(s[1 : len(s)-1])
	if err != nil || !a.Is6() || a.Zone() != "" {
		return "", ErrDomain
	}
	return "[" + a.String() + "]", nil
}

// longLabel reports a label over 63 code points that may be an A-label or become
// one: DNS has no such label, and decoding it would take quadratic time.
func longLabel(s string) bool {
	for label := range strings.FieldsFuncSeq(s, isDot) {
		n := utf8.RuneCountInString(label)
		if n > maxLabel && (n < len(label) || strings.Contains(label, "--")) {
			return true
		}
	}
	return false
}

// isDot knows the four label separators of UTS 46 §2.3.
func isDot(r rune) bool { return r == '.' || r == '\u3002' || r == '\uff0e' || r == '\uff61' }

const maxLabel = 63 // octets of a DNS label (RFC 1035 §2.3.4)

// enforce applies p until nothing changes: PRECIS is not idempotent for every
// code point, and an address must be the same however often it was prepared.
func enforce(p *precis.Profile, s string, bad, long Error) (string, error) {
	if len(s) > rawFactor*MaxPart {
		return "", long
	}
	if !utf8.ValidString(s) {
		return "", bad
	}
	for range 4 { // as RFC 8266 §2.1 does for nicknames
		r, err := p.String(s)
		switch {
		case err != nil || r == "":
			return "", bad
		case r != s:
			s = r
		case len(s) > MaxPart:
			return "", long
		default:
			return s, nil
		}
	}
	return "", bad
}
