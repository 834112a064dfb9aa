package stream

import (
	"bytes"

	"meerkat/engine/wire"
	"meerkat/xml"
)

// NewFramed returns a stream for a connection that has become a WebSocket
// (RFC 7395): each message is one element, <open/> and <close/> stand for the
// header and the end of the stream.
func (sh *Shared) NewFramed() wire.Framed { return sh.newStream() }

// FirstMessage is the largest message, in bytes, before login.
func (sh *Shared) FirstMessage() int { return sh.before.Bytes }

// Limits are those of an element after login.
func (sh *Shared) Limits() xml.Limits { return sh.after }

// framing takes the elements that stand for a stream's header and end. It
// reports false for all others, and without a WebSocket.
func (s *Stream) framing(e xml.Elem) bool {
	if !s.w.Framed() {
		return false
	}
	begun := s.flags&answered != 0
	switch {
	case s.flags&spoken != 0:
		s.broken(xml.NotWellFormed) // two elements in a message
	case e.Is("open", nsFraming) && !begun:
		s.header(e)
	case e.Is("open", nsFraming):
		s.broken(xml.Reopened)
	case e.Is("close", nsFraming):
		s.end()
	case !begun:
		s.fail("invalid-namespace", "a stream begins with open in the namespace "+nsFraming)
	default:
		s.flags |= spoken
		return false
	}
	s.flags |= spoken
	return true
}

// Message is the end of a message: its element has to be whole
// (RFC 7395 §3.3.3).
func (s *Stream) Message(*wire.Conn) {
	s.flags &^= spoken
	if s.phase != ended && s.xml.Partial() {
		s.broken(xml.NotWellFormed)
	}
}

// put writes one element, as a message of its own on a WebSocket. There it
// declares the namespaces that the header of a stream would have.
func (s *Stream) put(elem []byte) {
	if !s.w.Framed() {
		s.w.Write(elem)
		return
	}
	at := bytes.IndexAny(elem, " />")
	if at < 0 {
		at = 0
	}
	s.w.WriteMessage(elem[:at], declarations(elem, at), elem[at:])
}

var (
	declareClient  = []byte(" xmlns='" + nsClient + "'")
	declareStreams = []byte(" xmlns='" + nsClient + "' xmlns:stream='" + nsStreams + "'")
)

// declarations returns what elem lacks, whose name ends at at.
func declarations(elem []byte, at int) []byte {
	switch {
	case bytes.HasPrefix(elem, []byte("<stream:")):
		return declareStreams
	case declares(elem[at:]):
		return nil
	}
	return declareClient
}

// declares reports whether a start-tag, from the end of its name on, declares a
// default namespace.
func declares(tag []byte) bool {
	for {
		eq := bytes.IndexByte(tag, '=')
		if end := bytes.IndexByte(tag, '>'); eq < 0 || end >= 0 && end < eq || eq+1 >= len(tag) {
			return false
		}
		if bytes.Equal(bytes.TrimSpace(tag[:eq]), []byte("xmlns")) {
			return true
		}
		tag = bytes.TrimLeft(tag[eq+1:], " \t\r\n")
		close := bytes.IndexByte(tag[1:], tag[0])
		if close < 0 {
			return false
		}
		tag = tag[close+2:]
	}
}

// sayEnd ends our side of the stream. On a WebSocket it can say where to go
// instead (RFC 7395 §3.6.1).
func (s *Stream) sayEnd() {
	if !s.w.Framed() {
		s.w.Write([]byte("</stream:stream>"))
		return
	}
	b := s.at.builder().Start("close", nsFraming)
	if s.at.draining {
		b.OptAttr("see-other-uri", s.at.sh.Config.HTTP.SeeOther)
	}
	s.say(b.End())
}
