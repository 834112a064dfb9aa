package stream

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/xml"
)

// resumes reports whether elements of a namespace are the Resumer's.
func (s *Stream) resumes(space []byte) bool {
	r := s.at.sh.Resume
	return r != nil && string(space) == r.Space
}

// resume takes what may come in place of binding: the request for the session
// that the client had (XEP-0198 §5). It is answered on the account's loop.
func (s *Stream) resume(e xml.Elem) {
	request := e.AppendTo(nil, nsClient)
	s.goHome(func() { s.resumeHere(request) })
}

func (s *Stream) resumeHere(request []byte) {
	var doc xml.Doc
	e, err := doc.Parse(request, nsClient)
	if err != nil {
		s.fail("internal-server-error", "")
		return
	}
	now := true
	r := &feature.Resumption{Env: s.at.router.Env(), Owner: s.login.user, Stream: s}
	r.Done = func(sess *account.Session, answer []byte, start func()) {
		if now {
			now = false
		} else {
			s.flags &^= busy
			s.w.Resume()
		}
		s.resumed(sess, answer, start)
	}
	s.at.router.Run(func() { s.at.sh.Resume.Resume(r, e) })
	if now && s.phase != ended {
		now = false
		s.flags |= busy
		s.w.Pause()
	}
}

// resumed answers. The stream may have ended meanwhile; then the session has
// heard of it.
func (s *Stream) resumed(sess *account.Session, answer []byte, start func()) {
	if s.phase == ended {
		return
	}
	s.put(answer)
	if sess != nil {
		s.established()
		start()
	}
}
