package stream

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// resumed2 is the end of an inline resumption: without a session the client gets
// a new one, if it wants one (XEP-0198 §9.2).
func (s *Stream) resumed2(sess *account.Session, answer []byte, start func()) {
	s.login.two.answers = append(s.login.two.answers, answer...)
	if sess == nil {
		s.bind2()
		return
	}
	s.success(sess.JID.String())
	s.established()
	start()
}

// bind2 binds a resource along with the login (XEP-0386 §3.2). Where it cannot,
// the client may still bind one in the old way, and is told why then.
func (s *Stream) bind2() {
	l := s.login
	var doc xml.Doc
	e, err := doc.Parse(l.two.bind, nsClient)
	if err != nil { // there is no request
		s.unbound2()
		return
	}
	sess, cond := s.at.router.Bind(l.user, resource2(e, l), s)
	if cond == stanza.BadRequest { // a tag that cannot be in a resource
		sess, cond = s.at.router.Bind(l.user, name2(l), s)
	}
	if cond != stanza.OK {
		refusals.Add(s.at.shard(), 1)
		s.unbound2()
		return
	}
	sess.Lang = l.lang
	s.sess = sess
	bindings.Add(s.at.shard(), 1)
	s.supersede(name2(l))
	s.inline(e.First(), nil)
}

// supersede ends earlier sessions of the installation that goes by name, also those
// with another tag (XEP-0386 §3.2).
func (s *Stream) supersede(name string) {
	if name == "" {
		return
	}
	for _, old := range slices.Clone(s.sess.Account.Sessions) {
		if r := old.JID.Resource(); old != s.sess && (r == name || strings.HasSuffix(r, "/"+name)) {
			s.at.router.Unbind(old)
			old.Sink.Kick("conflict", "this client has another session now")
		}
	}
}

func (s *Stream) unbound2() {
	s.success(s.login.user.String())
	s.offer()
}

// maxTag bounds what a client may call itself in a resource.
const maxTag = 64

// resource2 is the resource of a client: its tag and a name (XEP-0386 §3.2.1).
func resource2(e xml.Elem, l *login) string {
	tag, name := e.Child("tag", nsBind2).Text(), name2(l)
	if len(tag) == 0 || len(tag) > maxTag {
		return name
	}
	if name == "" {
		name = string(appendID(nil)[:12])
	}
	return string(tag) + "/" + name
}

// name2 is the same for an installation each time, so that a new session of it
// ends the old one, and tells nothing of it; "" if the client does not say which
// it is.
func name2(l *login) string {
	if l.two.agent == "" {
		return ""
	}
	h := sha256.Sum256([]byte(l.user.String() + "\x00" + l.two.agent))
	return base64.RawURLEncoding.EncodeToString(h[:9])
}

// inline has the features deal with what the client wants of the session, from
// element e on. answers is what they have said so far.
func (s *Stream) inline(e xml.Elem, answers []byte) {
	handle := s.at.sh.inlineFor(e.Space())
	for ; e.OK() && handle == nil; handle = s.at.sh.inlineFor(e.Space()) {
		e = e.Next()
	}
	if !e.OK() {
		s.unasked(0, answers)
		return
	}
	s.dealWith(handle, e, func(answer []byte) { s.inline(e.Next(), append(answers, answer...)) })
}

// unasked has the features do what is done for every such session, from number i on.
func (s *Stream) unasked(i int, answers []byte) {
	all := s.at.sh.Inline
	for i < len(all) && !all[i].Unasked {
		i++
	}
	if i == len(all) {
		s.bound2(answers)
		return
	}
	s.dealWith(all[i].Handle, xml.Elem{}, func(answer []byte) { s.unasked(i+1, append(answers, answer...)) })
}

// dealWith calls handle, and then with its answer, now or later.
func (s *Stream) dealWith(handle func(*feature.Ctx, xml.Elem, func([]byte)), e xml.Elem, then func(answer []byte)) {
	c := &feature.Ctx{Env: s.at.router.Env(), Owner: s.sess.Account.JID, Account: s.sess.Account, Session: s.sess}
	s.await(func(done func(func())) {
		s.at.router.Run(func() {
			handle(c, e, func(answer []byte) { done(func() { then(answer) }) })
		})
	})
}

func (sh *Shared) inlineFor(space []byte) func(*feature.Ctx, xml.Elem, func([]byte)) {
	for i := range sh.Inline {
		if string(space) == sh.Inline[i].Space && !sh.Inline[i].Unasked {
			return sh.Inline[i].Handle
		}
	}
	return nil
}

// bound2 tells the client of its session.
func (s *Stream) bound2(answers []byte) {
	var b xml.Builder
	b.Reset(s.login.two.answers, nsSASL2).Start("bound", nsBind2).Raw(answers).End()
	s.login.two.answers = b.Bytes()
	s.success(s.sess.JID.String())
	s.offer()
	s.established()
}
