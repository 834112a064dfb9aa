package stream

import (
	"meerkat/engine/account"
	"meerkat/engine/wire"
	"meerkat/xml"
)

// Stream is one client's connection from accept to close. It implements
// wire.Upper below and account.Sink above, and lives on one loop at a time.
//
// An idle bound stream is all of this struct and nothing else.
type Stream struct {
	at    *home
	w     *wire.Conn
	sess  *account.Session // once bound, until unbound
	keep  account.Keeper   // of sess, if it has one
	login *login           // until bound
	marks *marks           // while somebody waits for output to leave; see Sent
	next  *Stream          // of the same loop
	prev  *Stream
	xml   xml.State
	phase phase
	flags flags
}

type phase uint8

const (
	connected     phase = iota // RFC 6120 §4, §5, §6: a login is awaited
	authenticated              // §7: a resource is to be bound
	bound                      // §8: stanzas
	ended                      // our end of the stream is closed, what comes is thrown away
)

type flags uint8

const (
	answered flags = 1 << iota // our stream header is out
	held                       // Sink.Pause
	busy                       // a login step or a move is under way, or TLS begins
	listed                     // among the streams of at
	spoken                     // this WebSocket message has had its element
)

// Opened begins the life of s on the loop that accepted it.
func (s *Stream) Opened(w *wire.Conn) {
	s.w = w
	if w.Framed() {
		s.xml.Framed()
	}
	s.at = s.at.sh.homes[w.Loop().Index]
	s.at.add(s)
	s.login.start()
	switch sh := s.at.sh; {
	case s.at.draining:
		s.fail("system-shutdown", "")
	case sh.Full != nil && sh.Full():
		fulls.Add(s.at.shard(), 1)
		s.fail("resource-constraint", "the server is full, try again later")
	}
}

// Bytes takes what the client sent, up to where something else has to happen
// first, or the turn's share is used up (rule of fairness).
func (s *Stream) Bytes(w *wire.Conn, in []byte) int {
	n := 0
	for left := s.at.sh.Config.Limits.StanzasPerTurn; n < len(in) && s.flags&(held|busy) == 0 && !w.Blocked(); left-- {
		if s.phase == ended {
			return len(in)
		}
		if left == 0 {
			w.Yield()
			break
		}
		kind, e, used, err := s.at.parser.Next(&s.xml, in[n:], s.limits())
		n += used
		if err != nil {
			s.broken(err.(xml.Error))
			return len(in)
		}
		s.event(kind, e)
	}
	return n
}

func (s *Stream) limits() *xml.Limits {
	if s.phase == bound {
		return &s.at.sh.after
	}
	return &s.at.sh.before
}

func (s *Stream) event(kind xml.Kind, e xml.Elem) {
	switch kind {
	case xml.Header:
		s.header(e)
	case xml.Element:
		if !s.framing(e) {
			s.element(e)
		}
	case xml.End:
		s.end()
	}
}

// element takes a child of the stream. Once bound all of them are the router's;
// before, few are allowed at all (RFC 6120 §4.9.3.12, §7.1).
func (s *Stream) element(e xml.Elem) {
	if s.phase == bound {
		if condition := s.at.router.Handle(s.sess, e); condition != "" {
			s.refused(e, condition)
		}
		return
	}
	switch space := e.Space(); {
	case e.Is("error", nsStreams):
		s.end()
	case s.phase == authenticated && s.resumes(space):
		s.resume(e)
	case s.phase == authenticated:
		s.bind(e)
	case string(space) == nsTLS:
		s.startTLS(e)
	case string(space) == nsSASL:
		s.sasl(e)
	case string(space) == nsSASL2:
		s.sasl2(e)
	case !s.preAuth(e):
		s.early(e)
	}
}

// refused ends the stream for an element that the router does not take. A
// stream error of the client's is answered with the end alone
// (RFC 6120 §4.9.1.1).
func (s *Stream) refused(e xml.Elem, condition string) {
	if e.Is("error", nsStreams) {
		s.end()
		return
	}
	s.fail(condition, "")
}

// Flush comes before the turn's output leaves.
func (s *Stream) Flush(*wire.Conn) {
	if s.keep != nil {
		s.keep.Flush()
	}
	if s.marks != nil {
		s.at.loop.Post(s.marks.look)
	}
}

// Closed is the end of s.
func (s *Stream) Closed(*wire.Conn, error) {
	s.phase = ended
	s.release()
	s.part()
	s.at.remove(s)
	s.marks.end(s)
}

// end is the client's </stream:stream>: ours follows (RFC 6120 §4.4).
func (s *Stream) end() {
	if s.marks != nil {
		s.marks.look() // what the client has by now is not lost with the stream
	}
	s.close()
	s.unbind()
}

// close ends our side of the stream and then the connection.
func (s *Stream) close() {
	if s.phase == ended {
		return
	}
	if s.flags&answered != 0 {
		s.sayEnd()
	}
	s.phase = ended
	s.release()
	s.w.Close()
}

// release frees what only a stream that is open needs. Amid a move, on whatever
// loop, it touches nothing of a loop: there is no partial element and no timer.
func (s *Stream) release() {
	if s.xml.Partial() {
		s.at.parser.Drop(&s.xml)
	}
	if s.login != nil {
		s.login.stop()
		s.login = nil
	}
}

// part ends s without the client's goodbye: the session may live on
// (XEP-0198 §7).
func (s *Stream) part() {
	if s.keep != nil && s.keep.Detach() {
		s.sess, s.keep = nil, nil
	}
	s.unbind()
}

func (s *Stream) unbind() {
	if sess := s.sess; sess != nil {
		s.sess, s.keep = nil, nil
		s.at.router.Unbind(sess)
	}
}

var (
	_ wire.Upper      = (*Stream)(nil)
	_ account.Carrier = (*Stream)(nil)
)
