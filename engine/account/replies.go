package account

// replies are what a session may not see before what it sent earlier is on
// disk: an answer after a message says that the message is safe (RFC 6120 §10.1
// keeps the order, the store keeps the promise).
type replies struct {
	now  []reply // wait for the settling under way
	next []reply // came while it was under way
}

// reply is a stanza to write, or something to do.
type reply struct {
	stanza []byte
	fn     func()
}

// Settler finds out when all that a session has sent is stored.
type Settler interface {
	// Settle calls s.Settled then, later than it returns.
	Settle(s *Session)
}

// Answer writes an answer of the server to the client's own request, once all
// that the session sent before is stored.
func (s *Session) Answer(stanza []byte, by Settler) {
	if s.settled() {
		s.Sink.Write(stanza)
		return
	}
	s.await(reply{stanza: append([]byte(nil), stanza...)}, by)
}

// Push writes a stanza that is no answer, but must not overtake one: news of what
// an answer under way tells.
func (s *Session) Push(stanza []byte) {
	if s.replies == nil {
		s.Sink.Write(stanza)
		return
	}
	s.replies.next = append(s.replies.next, reply{stanza: append([]byte(nil), stanza...)})
}

// AfterSettled calls fn once all that the session sent before is stored, and
// behind the answers to it: at once if that is so.
func (s *Session) AfterSettled(fn func(), by Settler) {
	if s.settled() {
		fn()
		return
	}
	s.await(reply{fn: fn}, by)
}

func (s *Session) settled() bool { return s.replies == nil && s.Unsettled == 0 }

func (s *Session) await(r reply, by Settler) {
	if s.replies != nil {
		s.replies.next = append(s.replies.next, r)
		return
	}
	s.replies = &replies{now: []reply{r}}
	by.Settle(s)
}

// Settled says that what the session had sent when Settle was called is stored.
func (s *Session) Settled(by Settler) {
	r := s.replies
	for _, x := range r.now {
		if x.fn != nil {
			x.fn()
		} else {
			s.Sink.Write(x.stanza)
		}
	}
	if r.now, r.next = r.next, nil; len(r.now) == 0 {
		s.replies = nil
		return
	}
	by.Settle(s)
}

// Again reports that the stanza of number Received was dealt with before a
// restart of the server.
func (s *Session) Again(print uint64) bool {
	before, again := s.Done[s.Received]
	if delete(s.Done, s.Received); len(s.Done) == 0 {
		s.Done = nil
	}
	return again && before == print
}
