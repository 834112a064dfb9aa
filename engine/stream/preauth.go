package stream

import (
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// preAuth lets features answer a request before login, such as registration
// (XEP-0077 §3.1). It reports false if none of them does, or if TLS has to come
// first.
func (s *Stream) preAuth(e xml.Elem) bool {
	if !e.Is("iq", nsClient) || s.mustSecure() {
		return false
	}
	space := e.First().Space()
	for i := range s.at.sh.PreAuth {
		if f := &s.at.sh.PreAuth[i]; string(space) == f.Space {
			s.handlePreAuth(f, e)
			return true
		}
	}
	return false
}

func (s *Stream) handlePreAuth(f *feature.PreAuth, e xml.Elem) {
	c := &feature.PreAuthCtx{
		Env:    s.at.router.Env(),
		Host:   s.login.host,
		Remote: s.w.Remote(),
		Secure: s.w.Secure(),
		Stream: s,
		Memo:   &s.login.memo,
	}
	var q stanza.Stanza
	switch cond := q.Read(e); {
	case cond != stanza.OK:
		c.Fail(&q, cond, "")
	case q.Request():
		f.Handle(c, &q)
	}
}
