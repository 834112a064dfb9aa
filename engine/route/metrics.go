package route

import "meerkat/engine/metric"

var (
	received = metric.NewCounterVec("meerkat_route_received_total",
		"Stanzas from sessions of ours.", "kind", "message", "presence", "iq")
	delivered = metric.NewCounterVec("meerkat_route_delivered_total",
		"Stanzas written to sessions of ours, each copy counted.", "kind", "message", "presence", "iq")
	bounced = metric.NewCounter("meerkat_route_bounced_total",
		"Stanzas answered with an error because they could not be delivered.")
	ignored = metric.NewCounter("meerkat_route_ignored_total",
		"Stanzas dropped in silence, where RFC 6121 §8 says so.")
	sessions = metric.NewGauge("meerkat_route_sessions",
		"Bound sessions.")
)
