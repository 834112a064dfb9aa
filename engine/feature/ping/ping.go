// Package ping answers XMPP pings (XEP-0199 2.0.1).
package ping

import (
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
)

const space = "urn:xmpp:ping"

// New returns the feature.
func New() feature.Feature {
	return feature.Feature{
		Name:         "ping",
		Spec:         "XEP-0199",
		Disco:        []string{space},
		AccountDisco: []string{space},
		IQ:           []feature.IQ{feature.GetIQ(feature.Server|feature.Own, space, "ping", pong)},
	}
}

func pong(c *feature.Ctx, q *stanza.Stanza) { c.Result(q, nil) }
