package account

import (
	"slices"
	"strings"
	"unique"
)

// maxDirected bounds how many addresses a session may have sent directed
// presence to at a time.
const maxDirected = 1000

// directed is a full or bare JID. Most are of rooms: many sessions share the
// room, and one session has the same nick nearly everywhere.
type directed struct {
	bare     unique.Handle[string]
	resource string // "": there is none
}

func (d directed) String() string {
	if d.resource == "" {
		return d.bare.Value()
	}
	return d.bare.Value() + "/" + d.resource
}

// findDirected returns the place of to, which is an address cut in two, or -1.
func (s *Session) findDirected(bare, resource string) int {
	return slices.IndexFunc(s.directed, func(d directed) bool {
		return d.resource == resource && d.bare.Value() == bare
	})
}

// Direct notes that the session sent directed available presence to to, which is
// copied, so that its unavailable presence goes there as well (RFC 6121 §4.6.3).
// It reports false if there are too many.
func (s *Session) Direct(to string) bool {
	bare, resource, _ := strings.Cut(to, "/")
	switch {
	case s.findDirected(bare, resource) >= 0:
		return true
	case len(s.directed) >= maxDirected:
		return false
	}
	if n := len(s.directed); n > 0 && s.directed[n-1].resource == resource {
		resource = s.directed[n-1].resource
	} else {
		resource = strings.Clone(resource)
	}
	s.directed = append(s.directed, directed{unique.Make(bare), resource})
	return true
}

// Undirect forgets to: it has been sent unavailable presence.
func (s *Session) Undirect(to string) {
	bare, resource, _ := strings.Cut(to, "/")
	if i := s.findDirected(bare, resource); i >= 0 {
		s.directed = slices.Delete(s.directed, i, i+1)
	}
	if len(s.directed) == 0 {
		s.directed = nil
	}
}

// Directed returns the addresses noted, and forgets them.
func (s *Session) Directed() []string {
	list := s.DirectedTo()
	s.directed = nil
	return list
}

// DirectedTo returns the addresses noted.
func (s *Session) DirectedTo() (list []string) {
	for _, d := range s.directed {
		list = append(list, d.String())
	}
	return list
}
