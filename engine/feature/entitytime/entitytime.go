// Package entitytime says what time it is here (XEP-0202 2.0).
package entitytime

import (
	"meerkat/engine/feature"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

const space = "urn:xmpp:time"

// New returns the feature.
func New() feature.Feature {
	return feature.Feature{
		Name:  "time",
		Spec:  "XEP-0202",
		Disco: []string{space},
		IQ:    []feature.IQ{feature.GetIQ(feature.Server, space, "time", tell)},
	}
}

func tell(c *feature.Ctx, q *stanza.Stanza) {
	now := c.Now()
	c.Result(q, func(b *xml.Builder) {
		b.Start("time", space)
		b.Start("tzo", "").Text(now.Format("-07:00")).End()
		b.Start("utc", "").Text(now.UTC().Format("2006-01-02T15:04:05.000Z")).End()
		b.End()
	})
}
