package route

import (
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
)

// cause is s, which c.Session has just sent.
func cause(c *feature.Ctx, s *stanza.Stanza) feature.Cause {
	return feature.Cause{Owner: c.Owner.String(), Session: c.Session.ID, Number: c.Session.Received, Print: print(s)}
}

// print is what a client's stanza has in common with itself when it is sent
// again: its id, or all of it. It is FNV-1a of 64 bits, for it is stored.
func print(s *stanza.Stanza) uint64 {
	b := s.ID
	if len(b) == 0 {
		b = s.Elem.Raw()
	}
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
