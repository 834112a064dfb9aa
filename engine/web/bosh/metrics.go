package bosh

import "meerkat/engine/metric"

// conditions of XEP-0124 §17.2 that end a session.
var conditions = []string{"", "bad-request", "host-unknown", "improper-addressing", "internal-server-error",
	"item-not-found", "policy-violation", "remote-stream-error", "system-shutdown"}

var (
	sessionsOpen = metric.NewGauge("meerkat_bosh_sessions",
		"BOSH sessions there are.")
	made = metric.NewCounter("meerkat_bosh_sessions_total",
		"BOSH sessions made.")
	repeats = metric.NewCounter("meerkat_bosh_repeats_total",
		"Requests that came a second time and got the same answer.")
	expired = metric.NewCounter("meerkat_bosh_inactive_total",
		"Sessions ended because no request came for http.bosh_inactivity, or for the pause asked for.")
	ended = metric.NewCounterVec("meerkat_bosh_ended_total",
		"Requests answered with the end of a session.", "condition", conditions...)
)
