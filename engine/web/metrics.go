package web

import "meerkat/engine/metric"

var (
	requests = metric.NewCounter("meerkat_http_requests_total",
		"HTTP requests, without those that became WebSockets and those that were malformed.")
	refused = metric.NewCounter("meerkat_http_refused_total",
		"HTTP requests answered with an error before anybody looked at what they wanted.")
	headsTooLarge = metric.NewCounter("meerkat_http_heads_too_large_total",
		"HTTP requests refused because their head is larger than http.head.")
	slowHeads = metric.NewCounter("meerkat_http_slow_heads_total",
		"HTTP connections closed because a head took longer than http.head_timeout.")
	slowBodies = metric.NewCounter("meerkat_http_slow_bodies_total",
		"HTTP connections closed because a body did not come within http.body_timeout.")
	origins = metric.NewCounter("meerkat_http_origins_refused_total",
		"WebSockets refused because the web page is not of http.origins.")
)
