package stream

import "meerkat/engine/account"

// Write queues a stanza. What is written to a stream that has ended is lost, as
// if it had been on its way.
func (s *Stream) Write(stanza []byte) {
	if s.phase == ended {
		return
	}
	if s.phase == authenticated {
		s.login.early = append(s.login.early, append([]byte(nil), stanza...))
		return
	}
	if s.marks != nil {
		s.marks.written += len(stanza)
	}
	s.put(stanza)
}

// WriteNow is account.Prompt's.
func (s *Stream) WriteNow(stanza []byte) {
	if s.plain() {
		s.w.WriteThrough(stanza)
	} else {
		s.Write(stanza)
	}
}

// Ready is account.Prompt's.
func (s *Stream) Ready() bool { return s.plain() && s.w.Ready() }

// plain reports that nobody but the client waits for what is written to s.
func (s *Stream) plain() bool {
	return s.phase != ended && s.phase != authenticated && s.marks == nil && s.keep == nil && !s.w.Framed()
}

// Pause keeps the client's next stanza unread until Resume.
func (s *Stream) Pause() {
	if s.phase != ended {
		s.flags |= held
		s.w.Pause()
	}
}

// Resume goes on reading.
func (s *Stream) Resume() {
	if s.flags&held != 0 && s.phase != ended {
		s.flags &^= held
		s.w.Resume()
	}
}

// Kick ends the stream with an error. The session is unbound after the caller's
// handler has returned: whoever kicks is amid the account's business.
func (s *Stream) Kick(condition, text string) { s.Fail(condition, text, nil) }

// Fail is Kick with an application-specific condition, which may be nil.
func (s *Stream) Fail(condition, text string, app []byte) {
	if s.phase == ended {
		return
	}
	s.sayError(condition, text, app)
	s.close()
	s.at.loop.Post(s.unbind)
}

// Carry makes sess the session of s, and has by hear of s.
func (s *Stream) Carry(sess *account.Session, by account.Keeper) { s.sess, s.keep = sess, by }
