package stream

import (
	"meerkat/engine/wire"
	"meerkat/xml"
)

// startTLS takes <starttls/> (RFC 6120 §5.4.2). What the client sent behind it
// is dropped by wire, never read inside TLS.
func (s *Stream) startTLS(e xml.Elem) {
	switch {
	case string(e.Local()) != "starttls":
		s.fail("unsupported-stanza-type", "")
	case !s.canSecure():
		s.w.Write([]byte("<failure xmlns='" + nsTLS + "'/>"))
		s.close()
	default:
		s.flags |= busy
		s.login.exchange = nil
		s.w.Write([]byte("<proceed xmlns='" + nsTLS + "'/>"))
		s.w.StartTLS()
	}
}

// Secured is the end of the handshake: a new stream begins.
func (s *Stream) Secured(w *wire.Conn) {
	if s.phase == ended {
		return
	}
	s.flags &^= busy
	s.restart()
}
