// Package limits tells clients how large a stanza may be (XEP-0478 0.2.0).
package limits

import (
	"strconv"

	"meerkat/engine/feature"
	"meerkat/xml"
)

// New returns the feature.
func New() feature.Feature {
	return feature.Feature{
		Name: "limits",
		Spec: "XEP-0478",
		Stream: []feature.StreamFeature{
			{Append: func(c *feature.Ctx, b *xml.Builder, _ string) {
				tell(b, int64(c.Config.Limits.PreAuthStanza))
			}},
			{Bound: true, Append: func(c *feature.Ctx, b *xml.Builder, _ string) {
				tell(b, int64(c.Config.Limits.Stanza))
			}},
		},
	}
}

func tell(b *xml.Builder, bytes int64) {
	b.Start("limits", "urn:xmpp:stream-limits:0").Start("max-bytes", "").Text(strconv.FormatInt(bytes, 10)).End().End()
}
