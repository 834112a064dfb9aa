// Package session answers the session request of RFC 3921 §3, which RFC 6120
// did away with and old clients still send.
package session

import (
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

const space = "urn:ietf:params:xml:ns:xmpp-session"

// New returns the feature.
func New() feature.Feature {
	return feature.Feature{
		Name: "session",
		Spec: "RFC 3921 §3",
		IQ:   []feature.IQ{feature.SetIQ(feature.Own|feature.Server, space, "session", ok)},
		Stream: []feature.StreamFeature{{Bound: true, Append: func(_ *feature.Ctx, b *xml.Builder, _ string) {
			b.Start("session", space).Start("optional", "").End().End()
		}}},
	}
}

func ok(c *feature.Ctx, q *stanza.Stanza) { c.Result(q, nil) }
