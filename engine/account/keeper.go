package account

// Keeper is a Sink between a session and its stream that may outlive the
// stream: stream management (XEP-0198).
type Keeper interface {
	Sink
	// Flush comes before a turn's output leaves: the last chance to append.
	Flush()
	// Detach says that the stream is gone without a goodbye. It reports true if
	// the session lives on without one; else the stream unbinds it.
	Detach() bool
	// Attached reports whether there is a stream.
	Attached() bool
}

// Carrier is a stream as a Keeper sees it.
type Carrier interface {
	Sink
	// Carry makes s the stream's session and has by hear of the stream from now
	// on. With nil the stream has no session any more, and may be kicked.
	Carry(s *Session, by Keeper)
	// Fail is Kick with an application-specific condition (RFC 6120 §4.9.4).
	Fail(condition, text string, app []byte)
}

// Wrapper is a Sink on top of another: it holds back, or changes, what a session
// is sent (XEP-0352). Wrappers stand above a Keeper, whichever comes first.
type Wrapper interface {
	Sink
	Inner() Sink
	SetInner(Sink)
}

// Sleeper is a Wrapper that holds things back while nobody looks at its client.
type Sleeper interface {
	Wrapper
	Wake(s *Session)
}

// Wake ends what Sleepers hold back: the client is back on another stream, and
// what it said of itself on the old one does not count (XEP-0352 §5).
func (s *Session) Wake() {
	for w, ok := s.Sink.(Wrapper); ok; {
		inner := w.Inner()
		if sleeper, is := w.(Sleeper); is {
			sleeper.Wake(s)
		}
		w, ok = inner.(Wrapper)
	}
}

// Bottom returns the lowest Sink of the session: its stream or its Keeper.
func (s *Session) Bottom() Sink {
	b := s.Sink
	for w, ok := b.(Wrapper); ok; w, ok = b.(Wrapper) {
		b = w.Inner()
	}
	return b
}

// Connected reports whether the session has a stream.
func (s *Session) Connected() bool {
	k, ok := s.Bottom().(Keeper)
	return !ok || k.Attached()
}

// SetBottom puts b in the place of Bottom.
func (s *Session) SetBottom(b Sink) {
	w, ok := s.Sink.(Wrapper)
	if !ok {
		s.Sink = b
		return
	}
	for {
		inner, ok := w.Inner().(Wrapper)
		if !ok {
			w.SetInner(b)
			return
		}
		w = inner
	}
}
