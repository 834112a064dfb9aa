package bosh

import (
	"bytes"

	"meerkat/engine/loop"
	"meerkat/engine/wire"
	"meerkat/xml"
)

// Output is what the stream says, in whole frames.
func (s *session) Output(b []byte) {
	for len(b) > 0 {
		text, isText, rest := wire.NextFrame(b)
		switch {
		case isText:
			s.hear(text)
		case !isPong(b) && s.condition == "":
			s.condition = closeCondition(text)
		}
		b = rest
	}
	s.wake()
}

// isPong reports whether b begins with a pong; else it is a close frame.
func isPong(b []byte) bool { return b[0]&0x0F == 0xA }

var (
	isOpen  = []byte("<open xmlns='" + nsOpen + "'")
	isClose = []byte("<close xmlns='" + nsOpen + "'")
	isError = []byte("<stream:error")
)

// hear takes one element. Those that open and close the stream are attributes
// of a body here.
func (s *session) hear(elem []byte) {
	switch {
	case bytes.HasPrefix(elem, isOpen):
		s.open(elem)
	case bytes.HasPrefix(elem, isClose):
		if s.condition == "" {
			s.condition = closed
		}
	case bytes.HasPrefix(elem, isError):
		s.condition = errorCondition(elem)
		if s.condition == "remote-stream-error" {
			s.out = append(s.out, elem...)
		}
	default:
		s.out = append(s.out, elem...)
	}
}

// closed is the condition of a session that has ended well.
const closed = "closed"

func (s *session) open(elem []byte) {
	var d xml.Doc
	if e, err := d.Parse(elem, nsOpen); err == nil {
		s.authid, s.from = string(e.Attr("id")), string(e.Attr("from"))
	}
}

// errorCondition is what a stream error is here (XEP-0206 §8, XEP-0124 §17.2).
func errorCondition(elem []byte) string {
	var d xml.Doc
	e, err := d.Parse(elem, "jabber:client")
	if err != nil {
		return "internal-server-error"
	}
	switch c := string(e.First().Local()); c {
	case "host-unknown", "system-shutdown":
		return c
	}
	return "remote-stream-error"
}

// closeCondition is what the payload of a close frame is here.
func closeCondition(payload []byte) string {
	if len(payload) < 2 {
		return closed
	}
	switch int(payload[0])<<8 | int(payload[1]) {
	case 1000:
		return closed
	case 1009:
		return "policy-violation"
	}
	return "bad-request"
}

// Backlog is what the client is not known to have.
func (s *session) Backlog() int { return len(s.out) + s.unread }

// Reading stops requests from having their turns while the stream does not
// read.
func (s *session) Reading(on bool) {
	s.choked = !on
	if on && len(s.parked) > 0 {
		s.post(s.advance)
	}
}

// Leave is for the loop.
func (s *session) Leave(to *loop.Loop) {
	s.loop.Load().Stop(&s.timer)
	s.loop.Store(to)
}

// Arrive is for the loop.
func (s *session) Arrive() { s.wake() }

// Gone is the end: whoever waits hears of it.
func (s *session) Gone() {
	if s.over {
		return
	}
	s.over = true
	s.loop.Load().Stop(&s.timer)
	s.srv.sessions.Delete(s.sid)
	s.srv.count.Add(-1)
	sessionsOpen.Add(s.shard(), -1)
	if s.condition == closed {
		s.condition = ""
	}
	count(s.condition)
	for s.live() > 0 {
		s.answerOne()
	}
	for _, r := range s.parked {
		r.reply(terminal(s.condition))
	}
	s.parked = nil
}
