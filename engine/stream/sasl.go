package stream

import (
	"encoding/base64"
	"errors"
	"strconv"

	"meerkat/engine/auth"
	"meerkat/xml"
)

// sasl takes a child of the SASL namespace (RFC 6120 §6.4).
func (s *Stream) sasl(e xml.Elem) {
	switch string(e.Local()) {
	case "auth":
		s.auth(e)
	case "response":
		s.respond(e)
	case "abort":
		s.refuse(auth.Failure{Condition: auth.Aborted})
	default:
		s.fail("unsupported-stanza-type", "")
	}
}

// auth begins an exchange (RFC 6120 §6.4.2). One that is under way is no more:
// the client has started over without <abort/>, which counts as a failure.
func (s *Stream) auth(e xml.Elem) {
	if s.mayBegin() && s.begin(string(e.Attr("mechanism"))) {
		s.step(e)
	}
}

// mayBegin reports whether a login can begin now.
func (s *Stream) mayBegin() bool {
	if s.login.exchange != nil {
		s.refuse(auth.Failure{Condition: auth.MalformedRequest, Text: "a login was under way"})
		return false
	}
	if s.at.sh.Throttle.Blocked(s.w.Remote(), s.at.loop.Now()) {
		s.guessing("too many failed logins from your address, wait " + s.at.router.Env().Config.Limits.LoginBlock.String())
		return false
	}
	return true
}

// begin starts an exchange and reports whether there is one.
func (s *Stream) begin(mechanism string) bool {
	x, err := s.at.sh.Mechanisms.Start(mechanism, s.binding(), s.login.host)
	if err != nil {
		s.refuse(err)
		return false
	}
	s.login.exchange = x
	return true
}

// respond goes on with the exchange (RFC 6120 §6.4.3).
func (s *Stream) respond(e xml.Elem) {
	if s.login.exchange == nil {
		s.refuse(auth.Failure{Condition: auth.MalformedRequest, Text: "no login is under way"})
		return
	}
	s.step(e)
}

// step feeds the exchange with e's text.
func (s *Stream) step(e xml.Elem) {
	if e.First().OK() {
		s.refuse(auth.Failure{Condition: auth.MalformedRequest, Text: "an element where text should be"})
		return
	}
	in, err := auth.DecodeBase64(nil, e.Text())
	if err != nil {
		s.refuse(err)
		return
	}
	s.stepWith(in)
}

func (s *Stream) stepWith(in []byte) {
	x := s.login.exchange
	if x.Heavy() {
		s.stepAside(x, in)
		return
	}
	out, done, err := x.Step(in)
	s.stepped(x, out, done, err)
}

// stepAside makes a step that takes long, off the loop. Nothing is read from
// the client meanwhile.
func (s *Stream) stepAside(x *auth.Exchange, in []byte) {
	var out []byte
	var done bool
	var err error
	queued := s.at.loop.Work(
		func() { out, done, err = x.Step(in) },
		func() { s.resumeStep(x, out, done, err) })
	if !queued {
		s.refuse(auth.Failure{Condition: auth.TemporaryAuthFailure, Text: "the server is busy, try again"})
		return
	}
	s.flags |= busy
	s.w.Pause()
}

// resumeStep is back on the loop. The stream may have ended meanwhile.
func (s *Stream) resumeStep(x *auth.Exchange, out []byte, done bool, err error) {
	if s.phase == ended {
		return
	}
	s.flags &^= busy
	s.w.Resume()
	s.stepped(x, out, done, err)
}

// stepped tells the client what came of a step.
func (s *Stream) stepped(x *auth.Exchange, out []byte, done bool, err error) {
	switch {
	case err != nil:
		s.refuse(err)
	case done:
		s.succeed(x, out)
	default:
		s.sayData("challenge", out)
	}
}

// succeed ends the exchange well: a new stream begins (RFC 6120 §6.4.6).
func (s *Stream) succeed(x *auth.Exchange, out []byte) {
	l := s.login
	l.exchange = nil
	l.user = x.User()
	if l.two != nil {
		s.succeed2(out)
		return
	}
	s.phase = authenticated
	s.sayData("success", out)
	s.restart()
}

// sayData writes a SASL element with bytes in base64: no text if there are none.
func (s *Stream) sayData(element string, data []byte) {
	b := s.at.builder().Start(element, s.profile())
	if len(data) > 0 {
		b.Text(base64.StdEncoding.EncodeToString(data))
	}
	s.say(b.End())
}

// refuse ends the exchange with a failure (RFC 6120 §6.4.5), and the stream too
// if that was one too many.
func (s *Stream) refuse(err error) {
	f := auth.Failure{Condition: auth.TemporaryAuthFailure}
	errors.As(err, &f)
	s.sayFailure(f)
	l := s.login
	l.exchange, l.two = nil, nil
	l.failures++
	failures.Add(s.at.shard(), 1)
	if f.Condition == auth.NotAuthorized {
		s.at.sh.Throttle.Failed(s.w.Remote(), s.at.loop.Now())
	}
	s.logRefusal(f)
	if most := s.at.sh.Config.Limits.LoginFailuresPerStream; most > 0 && l.failures >= most {
		s.guessing("a stream may have " + strconv.Itoa(most) + " failed logins")
	}
}

func (s *Stream) logRefusal(f auth.Failure) {
	log := s.at.router.Env().Log
	log.Debug("stream: login refused", "client", s.w.Remote(), "condition", f.Condition.String(), "text", f.Text)
	if f.Cause != nil {
		log.Error("stream: a login could not be checked", "domain", s.login.host, "err", f.Cause)
	}
}

func (s *Stream) sayFailure(f auth.Failure) {
	b := s.at.builder().Start("failure", s.profile())
	b.Start(f.Condition.String(), nsSASL).End()
	if f.Text != "" {
		b.Start("text", "").Attr("xml:lang", "en").Text(f.Text).End()
	}
	s.say(b.End())
}

// guessing closes the stream of who tries too often (RFC 6120 §13.12).
func (s *Stream) guessing(text string) {
	guessers.Add(s.at.shard(), 1)
	s.fail("policy-violation", text)
}
