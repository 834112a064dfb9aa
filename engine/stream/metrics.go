package stream

import "meerkat/engine/metric"

var (
	open = metric.NewGauge("meerkat_stream_open",
		"Streams of clients, logged in or not.")
	failures = metric.NewCounter("meerkat_stream_login_failures_total",
		"Logins answered with a failure, aborted ones included; meerkat_auth_failures_total says why.")
	timeouts = metric.NewCounter("meerkat_stream_login_timeouts_total",
		"Streams closed because nobody had logged in for limits.auth_timeout.")
	guessers = metric.NewCounter("meerkat_stream_guessing_total",
		"Streams closed because of too many failed logins, on the stream or from the address.")
	fulls = metric.NewCounter("meerkat_stream_full_total",
		"Streams closed at once because the server had no memory or no open files for another session.")
	streamErrors = metric.NewCounterVec("meerkat_stream_errors_total",
		"Stream errors sent.", "condition", conditions...)
	limitHits = metric.NewCounterVec("meerkat_stream_limit_hits_total",
		"Streams closed because an element was too large in some way.", "limit", limits...)
	bindings = metric.NewCounter("meerkat_stream_bindings_total",
		"Resources bound.")
	refusals = metric.NewCounter("meerkat_stream_binding_errors_total",
		"Requests to bind a resource that were answered with an error.")
)
