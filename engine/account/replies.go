package account

// replies are stanzas that a session may not see before what it sent earlier is
// on disk: an answer after a message says that the message is safe
// (RFC 6120 §10.1 keeps the order, the store keeps the promise).
type replies struct {
	now  [][]byte // wait for the settling under way
	next [][]byte // came while it was under way
}

// Settler finds out when all that a session has sent is stored.
type Settler interface {
	// Settle calls s.Settled then, later than it returns.
	Settle(s *Session)
}

// Answer writes an answer of the server to the client's own request, once all
// that the session sent before is stored.
func (s *Session) Answer(stanza []byte, by Settler) {
	if s.replies == nil && s.Unsettled == 0 {
		s.Sink.Write(stanza)
		return
	}
	own := append([]byte(nil), stanza...)
	if s.replies != nil {
		s.replies.next = append(s.replies.next, own)
		return
	}
	s.replies = &replies{now: [][]byte{own}}
	by.Settle(s)
}

// Settled says that what the session had sent when Settle was called is stored.
func (s *Session) Settled(by Settler) {
	r := s.replies
	for _, b := range r.now {
		s.Sink.Write(b)
	}
	if r.now, r.next = r.next, nil; len(r.now) == 0 {
		s.replies = nil
		return
	}
	by.Settle(s)
}
