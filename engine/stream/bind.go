package stream

import (
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// bind takes what comes between login and binding: the request to bind
// (RFC 6120 §7), and nothing else.
func (s *Stream) bind(e xml.Elem) {
	request := e.First()
	if !e.Is("iq", nsClient) || !request.Is("bind", nsBind) {
		s.fail("not-authorized", "bind a resource first")
		return
	}
	var q stanza.Stanza
	cond := q.Read(e)
	s.login.id = append(s.login.id[:0], q.ID...)
	switch {
	case cond != stanza.OK:
		s.refuseBind(cond)
	case q.Type != stanza.Set:
		s.refuseBind(stanza.BadRequest)
	default:
		s.login.resource = string(request.Child("resource", nsBind).Text())
		s.goHome(s.bindHere)
	}
}

// goHome moves the socket to the loop of the account, where its other sessions
// and its mail are, and goes on with next there.
func (s *Stream) goHome(next func()) {
	to := s.at.sh.Group.For(s.login.user.String())
	if to == s.at.loop {
		next()
		return
	}
	s.login.next = next
	s.flags |= busy
	s.login.stop()
	s.at.remove(s)
	s.at = s.at.sh.homes[to.Index]
	s.w.Move(to, s.arrived)
}

// arrived is on the new loop.
func (s *Stream) arrived() {
	s.flags &^= busy
	s.at.add(s)
	s.login.start()
	if s.at.draining {
		s.fail("system-shutdown", "")
		return
	}
	s.login.next()
}

// bindHere makes the session, on the account's loop.
func (s *Stream) bindHere() {
	l := s.login
	sess, cond := s.at.router.Bind(l.user, l.resource, s)
	if cond != stanza.OK {
		s.refuseBind(cond)
		return
	}
	sess.Lang = l.lang
	s.sess = sess
	bindings.Add(s.at.shard(), 1)
	s.answerBind(l.id, sess.JID.String())
	s.established()
}

// established ends the login: s has a session.
func (s *Stream) established() {
	s.login.stop()
	early := s.login.early
	s.phase, s.login = bound, nil
	for _, stanza := range early {
		s.Write(stanza)
	}
	lim := &s.at.sh.Config.Limits
	s.w.Authenticated()
	s.w.SetMessageLimit(s.at.sh.after.Bytes)
	s.w.SetRate(int(lim.BytesPerSecond), int(lim.Burst))
}

func (s *Stream) answerBind(id []byte, jid string) {
	b := s.at.builder().Start("iq", "").Attr("type", "result").AttrBytes("id", id)
	b.Start("bind", nsBind).Start("jid", "").Text(jid).End().End()
	s.say(b.End())
}

// refuseBind answers the request with an error; the client may ask again
// (RFC 6120 §7.6.2, §7.7.2).
func (s *Stream) refuseBind(cond stanza.Condition) {
	refusals.Add(s.at.shard(), 1)
	q := stanza.Stanza{Kind: stanza.IQ, Type: stanza.Set, ID: s.login.id}
	s.at.buf = q.AppendError(s.at.buf[:0], cond, "")
	s.put(s.at.buf)
}
