package stream

import (
	"meerkat/engine/auth"
	"meerkat/engine/feature"
	"meerkat/xml"
)

// appendFeatures offers what may come next (RFC 6120 §4.3.2).
func (s *Stream) appendFeatures(b *xml.Builder) {
	b.Start("stream:features", "")
	switch {
	case s.phase == authenticated && s.sess != nil:
		s.appendMore(b, true)
	case s.phase == authenticated:
		b.Start("bind", nsBind).End()
		s.appendMore(b, true)
	case s.mustSecure() && s.w.Framed(): // nothing will do
	case s.mustSecure():
		b.Start("starttls", nsTLS).Start("required", "").End().End()
	default:
		if s.canSecure() {
			b.Start("starttls", nsTLS).End()
		}
		s.appendMechanisms(b)
		s.appendSASL2(b, s.binding())
		s.appendMore(b, false)
	}
	b.End()
}

// canSecure reports whether STARTTLS is possible here.
func (s *Stream) canSecure() bool { return s.at.sh.TLS && !s.w.Secure() && !s.w.Framed() }

// mustSecure reports that nothing but STARTTLS is allowed here (RFC 6120 §5.3.1).
func (s *Stream) mustSecure() bool { return s.at.sh.Config.C2S.RequireTLS && !s.w.Secure() }

// appendMechanisms offers SASL (RFC 6120 §6.3.3), and the channel bindings that
// go with it (XEP-0440).
func (s *Stream) appendMechanisms(b *xml.Builder) {
	cb := s.binding()
	b.Start("mechanisms", nsSASL)
	for _, m := range s.at.sh.Mechanisms.Offer(cb) {
		b.Start("mechanism", "").Text(m).End()
	}
	b.End()
	types := s.at.sh.Mechanisms.BindingTypes(cb)
	if len(types) == 0 {
		return
	}
	b.Start("sasl-channel-binding", nsCB)
	for _, t := range types {
		b.Start("channel-binding", "").Attr("type", t).End()
	}
	b.End()
}

// binding is what this connection can bind a login to. To a WebSocket there is
// nothing: scripts in a browser do not learn what the TLS below them has.
func (s *Stream) binding() auth.Binding {
	t := s.w.TLS()
	if t == nil || s.w.Framed() {
		return auth.Binding{TLS: s.w.Secure()}
	}
	return auth.Binding{TLS: true, Exporter: t.Exporter, EndPoint: t.EndPoint, Unique: t.Unique}
}

// appendMore lets features add theirs.
func (s *Stream) appendMore(b *xml.Builder, bound bool) {
	c := feature.Ctx{Env: s.at.router.Env(), Owner: s.login.user, Session: s.sess}
	for i := range s.at.sh.Features {
		if f := &s.at.sh.Features[i]; f.Bound == bound {
			f.Append(&c, b, s.login.host)
		}
	}
}
