// Package version says which server this is (XEP-0092 1.1).
package version

import (
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

const space = "jabber:iq:version"

// New returns the feature. release is the server's version; the operating
// system is nobody's business.
func New(release string) feature.Feature {
	return feature.Feature{
		Name:  "version",
		Spec:  "XEP-0092",
		Disco: []string{space},
		IQ: []feature.IQ{feature.GetIQ(feature.Server, space, "query", func(c *feature.Ctx, q *stanza.Stanza) {
			c.Result(q, func(b *xml.Builder) {
				b.Start("query", space)
				b.Start("name", "").Text("Meerkat").End()
				b.Start("version", "").Text(release).End()
				b.End()
			})
		})},
	}
}
