package stream

import (
	"time"

	"meerkat/engine/auth"
	"meerkat/store"
	"meerkat/xml"
)

// appendFast offers logins by token (XEP-0484 §3.1).
func (s *Stream) appendFast(b *xml.Builder, cb auth.Binding) {
	if s.at.sh.Tokens == nil {
		return
	}
	b.Start("fast", nsFast)
	for _, m := range s.at.sh.Tokens.Offer(cb) {
		b.Start("mechanism", "").Text(m).End()
	}
	b.End()
}

// fastLogin logs in by token (XEP-0484 §3.4).
func (s *Stream) fastLogin(mechanism string, in []byte) {
	l := s.login
	if s.at.sh.Tokens == nil {
		s.refuse(auth.Failure{Condition: auth.InvalidMechanism})
		return
	}
	login, err := s.at.sh.Tokens.Login(mechanism, s.binding(), l.host, l.two.agent, in, s.at.loop.Now())
	if err != nil {
		s.refuse(err)
		return
	}
	l.user, l.token = login.User, login
	s.succeed2(login.Answer)
}

// token stores that a token was used, and gives the client another, before what
// else it wants (XEP-0484 §3.3, §3.5, §3.6).
func (s *Stream) token() {
	l := s.login
	t := s.at.sh.Tokens
	if t == nil || l.token == nil && l.two.want == "" {
		s.proceed2()
		return
	}
	next := t.Next(l.user, l.two.agent, l.token, l.two.want, l.two.forget, s.binding(), s.at.loop.Now())
	if next.Update == nil {
		s.proceed2()
		return
	}
	env := s.at.router.Env()
	s.await(func(done func(func())) {
		env.Update(func(tx *store.Tx) error { return next.Update(tx) }, func(err error) {
			done(func() { s.tokened(next, err) })
		})
	})
}

func (s *Stream) tokened(next auth.NextToken, err error) {
	if err == nil && next.Token != "" {
		var b xml.Builder
		b.Reset(s.login.two.answers, nsSASL2).Start("token", nsFast).
			Attr("expiry", next.Expiry.UTC().Format(time.RFC3339)).Attr("token", next.Token).End()
		s.login.two.answers = b.Bytes()
	}
	if err != nil {
		s.at.router.Env().Log.Debug("stream: a token could not be stored", "account", s.login.user.String(), "err", err)
		if s.login.two.forget { // success would say that it is forgotten (XEP-0484 §3.6)
			s.fail("internal-server-error", "")
			return
		}
	}
	s.proceed2()
}
