package stream

import "meerkat/xml"

// builder lends the loop's buffer for what is said before stanzas flow. say
// gives it back.
func (h *home) builder() *xml.Builder {
	return h.build.Reset(h.buf[:0], nsClient)
}

// say writes what b has built.
func (s *Stream) say(b *xml.Builder) {
	s.at.buf = b.Bytes()
	s.put(s.at.buf)
}
