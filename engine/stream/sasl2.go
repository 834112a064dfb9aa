package stream

import (
	"encoding/base64"

	"meerkat/engine/auth"
	"meerkat/xml"
)

// request is what a client wants along with its login (XEP-0388 §2.4).
type request struct {
	agent  string // the client's installation, "" if it does not say
	resume []byte // elements, nil if they are not there
	bind   []byte
	fast   bool   // the login is by token
	forget bool   // and the token is to be forgotten (XEP-0484 §3.6)
	want   string // a token for this mechanism is wanted, "" if not

	data    []byte // that the mechanism has for the client in the end
	answers []byte // elements to go into <success/>
}

// maxAgent bounds what is taken for the id of an installation, a UUID.
const maxAgent = 64

// profile is the namespace of the exchange that is under way.
func (s *Stream) profile() string {
	if s.login.two != nil {
		return nsSASL2
	}
	return nsSASL
}

// appendSASL2 offers SASL2 with what can be had along with it. It is for TLS
// only (XEP-0388 §4).
func (s *Stream) appendSASL2(b *xml.Builder, cb auth.Binding) {
	names := s.at.sh.Mechanisms.Offer(cb)
	if !cb.TLS || len(names) == 0 {
		return
	}
	b.Start("authentication", nsSASL2)
	for _, m := range names {
		b.Start("mechanism", "").Text(m).End()
	}
	b.Start("inline", "")
	if r := s.at.sh.Resume; r != nil {
		b.Start("sm", r.Space).End()
	}
	b.Start("bind", nsBind2).Start("inline", "")
	for i := range s.at.sh.Inline {
		if in := &s.at.sh.Inline[i]; !in.Unasked {
			b.Start("feature", "").Attr("var", in.Space).End()
		}
	}
	b.End().End()
	s.appendFast(b, cb)
	b.End().End()
}

// sasl2 takes a child of the SASL2 namespace.
func (s *Stream) sasl2(e xml.Elem) {
	if s.login.two == nil {
		s.login.two = &request{} // failures are in the client's own namespace
	}
	switch string(e.Local()) {
	case "authenticate":
		s.authenticate(e)
	case "response":
		s.respond2(e)
	case "abort":
		s.refuse(auth.Failure{Condition: auth.Aborted})
	default:
		s.fail("unsupported-stanza-type", "")
	}
}

// authenticate begins an exchange (XEP-0388 §2.4).
func (s *Stream) authenticate(e xml.Elem) {
	if !s.w.Secure() {
		s.refuse(auth.Failure{Condition: auth.EncryptionRequired, Text: "start TLS first"})
		return
	}
	if !s.mayBegin() {
		return
	}
	s.login.two = s.readRequest(e)
	in, err := payload(e.Child("initial-response", nsSASL2))
	mechanism := string(e.Attr("mechanism"))
	switch {
	case err != nil:
		s.refuse(err)
	case s.login.two.fast:
		s.fastLogin(mechanism, in)
	case s.begin(mechanism):
		s.stepWith(in)
	}
}

func (s *Stream) readRequest(e xml.Elem) *request {
	r := &request{}
	for c := e.First(); c.OK(); c = c.Next() {
		switch {
		case c.Is("user-agent", nsSASL2):
			if id := c.Attr("id"); len(id) <= maxAgent {
				r.agent = string(id)
			}
		case s.resumes(c.Space()):
			r.resume = c.AppendTo(nil, nsClient)
		case c.Is("bind", nsBind2):
			r.bind = c.AppendTo(nil, nsClient)
		case c.Is("fast", nsFast):
			r.fast = true
			v := string(c.Attr("invalidate"))
			r.forget = v == "true" || v == "1"
		case c.Is("request-token", nsFast):
			r.want = string(c.Attr("mechanism"))
		}
	}
	return r
}

// payload reads base64, in which an empty element is an empty string, and none
// is nothing (XEP-0388 §2.3).
func payload(e xml.Elem) ([]byte, error) {
	switch text := e.Text(); {
	case !e.OK():
		return nil, nil
	case e.First().OK():
		return nil, auth.Failure{Condition: auth.MalformedRequest, Text: "an element where text should be"}
	case len(text) == 0:
		return []byte{}, nil
	default:
		return auth.DecodeBase64(nil, text)
	}
}

func (s *Stream) respond2(e xml.Elem) {
	if s.login.exchange == nil {
		s.refuse(auth.Failure{Condition: auth.MalformedRequest, Text: "no login is under way"})
		return
	}
	in, err := payload(e)
	if err != nil {
		s.refuse(err)
		return
	}
	s.stepWith(in)
}

// succeed2 goes on with what the client wants along with its login, on the loop
// of its account. A stream that said it was from somebody else fails
// (XEP-0388 §2.4).
func (s *Stream) succeed2(data []byte) {
	l := s.login
	if l.from.HasLocal() && l.from != l.user {
		s.refuse(auth.Failure{Condition: auth.InvalidAuthzid, Text: "the stream is from somebody else"})
		return
	}
	l.two.data = data
	s.phase = authenticated
	s.goHome(s.token)
}

// proceed2 resumes a session, if the client wants that and it can be, else binds
// a resource, if the client wants that (XEP-0386 §3.2).
func (s *Stream) proceed2() {
	if r := s.login.two; r.resume != nil {
		s.resumeHere(r.resume, s.resumed2)
		return
	}
	s.bind2()
}

// success says how the login went, and who the client is now.
func (s *Stream) success(address string) {
	r := s.login.two
	b := s.at.builder().Start("success", nsSASL2)
	if len(r.data) > 0 {
		b.Start("additional-data", "").Text(base64.StdEncoding.EncodeToString(r.data)).End()
	}
	b.Start("authorization-identifier", "").Text(address).End()
	s.say(b.Raw(r.answers).End())
}

// offer says what comes next.
func (s *Stream) offer() {
	b := s.at.builder()
	s.appendFeatures(b)
	s.say(b)
}
