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
	s.goHome(func() { s.resumeHere(request, s.resumed) })
}

// early ends a stream on which something came that is for later.
func (s *Stream) early(e xml.Elem) {
	if s.resumes(e.Space()) {
		s.put(s.at.sh.Resume.Early(e))
	}
	s.fail("not-authorized", "log in first")
}

// resumed answers.
func (s *Stream) resumed(sess *account.Session, answer []byte, start func()) {
	s.put(answer)
	if sess != nil {
		s.established()
		start()
	}
}

// resumeHere asks the Resumer. then is not called if the stream has ended
// meanwhile; the session has heard of that.
func (s *Stream) resumeHere(request []byte, then func(sess *account.Session, answer []byte, start func())) {
	var doc xml.Doc
	e, err := doc.Parse(request, nsClient)
	if err != nil {
		s.fail("internal-server-error", "")
		return
	}
	r := &feature.Resumption{Env: s.at.router.Env(), Owner: s.login.user, Stream: s}
	s.await(func(done func(func())) {
		r.Done = func(sess *account.Session, answer []byte, start func()) {
			done(func() { then(sess, answer, start) })
		}
		s.at.router.Run(func() { s.at.sh.Resume.Resume(r, e) })
	})
}

// await calls begin, which calls done now or later, on this loop. Nothing is read
// from the client until then. What done is given runs unless the stream has
// ended.
func (s *Stream) await(begin func(done func(then func()))) {
	now, over := true, false
	begin(func(then func()) {
		over = true
		if !now {
			s.flags &^= busy
			s.w.Resume()
		}
		if s.phase != ended {
			then()
		}
	})
	if now = false; !over && s.phase != ended {
		s.flags |= busy
		s.w.Pause()
	}
}
