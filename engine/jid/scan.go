package jid

import "strings"

// What an ASCII byte may be without any preparation changing or refusing it.
const (
	inLocal    = 1 << iota // UsernameCaseMapped keeps it, RFC 7622 §3.3.1 allows it
	inDomain               // a lower-case letter, digit, hyphen or dot
	inResource             // OpaqueString keeps it
)

// classes says of every byte in which parts it may stand as it is.
var classes = func() (t [256]uint8) {
	for c := ' '; c <= '~'; c++ {
		t[c] |= inResource
		upper := c >= 'A' && c <= 'Z'
		if c != ' ' && !upper && !strings.ContainsRune(forbidden, c) {
			t[c] |= inLocal
		}
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' {
			t[c] |= inDomain
		}
	}
	return t
}()

// scan returns the address s if s is prepared ASCII already. If not, s may
// still be an address: the long way tells.
func scan(s string) (JID, bool) {
	j := JID{s: s, bare: uint32(len(s))}
	domain := s
	if i := strings.IndexByte(s, '/'); i >= 0 {
		if !only(s[i+1:], inResource) {
			return JID{}, false
		}
		j.bare, domain = uint32(i), s[:i]
	}
	if i := strings.IndexByte(domain, '@'); i >= 0 {
		if !only(domain[:i], inLocal) {
			return JID{}, false
		}
		j.at, domain = uint32(i), domain[i+1:]
	}
	return j, plainDomain(domain)
}

// only reports that s is a part of a legal length and of bytes of class.
func only(s string, class uint8) bool {
	if s == "" || len(s) > MaxPart {
		return false
	}
	all := class
	for i := range len(s) {
		all &= classes[s[i]]
	}
	return all != 0
}

// plainDomain reports that s needs no IDNA. It leaves to IDNA also what has a
// dot or hyphen at an end or two in a row: empty labels, A-labels, the final dot.
func plainDomain(s string) bool {
	if s == "" || len(s) > MaxPart {
		return false
	}
	mark := true // the byte before was a dot, a hyphen or the beginning
	for i := range len(s) {
		c := s[i]
		if classes[c]&inDomain == 0 {
			return false
		}
		m := c == '.' || c == '-'
		if m && mark {
			return false
		}
		mark = m
	}
	return !mark
}
