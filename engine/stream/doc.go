// Package stream speaks RFC 6120 sections 4 to 8 with clients: it opens,
// restarts and closes streams, offers STARTTLS, SASL and resource binding, and
// ends what breaks the rules with a stream error. It knows nothing of what
// stanzas mean: those of a bound session go to package route.
//
// A Stream is born with its connection, on the loop that accepted it, and moves
// to the loop of its account when the client binds a resource. What only the
// time before that needs is in a part of its own, freed then.
package stream

// Namespaces of RFC 6120, and of the application-specific conditions and
// features that streams have.
const (
	nsStreams = "http://etherx.jabber.org/streams"
	nsClient  = "jabber:client"
	nsErrors  = "urn:ietf:params:xml:ns:xmpp-streams"
	nsTLS     = "urn:ietf:params:xml:ns:xmpp-tls"
	nsSASL    = "urn:ietf:params:xml:ns:xmpp-sasl"
	nsBind    = "urn:ietf:params:xml:ns:xmpp-bind"
	nsCB      = "urn:xmpp:sasl-cb:0"                  // XEP-0440
	nsFraming = "urn:ietf:params:xml:ns:xmpp-framing" // RFC 7395
	nsTooBig  = "urn:xmpp:errors"                     // <stanza-too-big/>
	nsSASL2   = "urn:xmpp:sasl:2"                     // XEP-0388
	nsBind2   = "urn:xmpp:bind:0"                     // XEP-0386
	nsFast    = "urn:xmpp:fast:0"                     // XEP-0484
)
