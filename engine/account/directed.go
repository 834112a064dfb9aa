package account

// maxDirected bounds how many addresses a session may have sent directed
// presence to at a time.
const maxDirected = 1000

// Direct notes that the session sent directed available presence to to, so that
// its unavailable presence goes there as well (RFC 6121 §4.6.3). It reports
// false if there are too many.
func (s *Session) Direct(to string) bool {
	for _, d := range s.directed {
		if d == to {
			return true
		}
	}
	if len(s.directed) >= maxDirected {
		return false
	}
	s.directed = append(s.directed, to)
	return true
}

// Undirect forgets to: it has been sent unavailable presence.
func (s *Session) Undirect(to string) {
	for i, d := range s.directed {
		if d == to {
			s.directed = append(s.directed[:i], s.directed[i+1:]...)
			return
		}
	}
}

// Directed returns the addresses noted, and forgets them.
func (s *Session) Directed() []string {
	d := s.directed
	s.directed = nil
	return d
}

// DirectedTo returns the addresses noted, borrowed until the next change.
func (s *Session) DirectedTo() []string { return s.directed }
