package wire

import "meerkat/engine/metric"

var (
	accepted = metric.NewCounter("meerkat_wire_accepted_total",
		"Connections accepted and let in.")
	rejected = metric.NewCounterVec("meerkat_wire_refused_total",
		"Connections closed at once: too many unauthenticated ones of that address, or in all.",
		"limit", "address", "all")
	acceptPauses = metric.NewCounter("meerkat_wire_accept_pauses_total",
		"Times that accepting paused because the system had no descriptor or memory left.")
	dropped = metric.NewCounter("meerkat_wire_starttls_dropped_bytes_total",
		"Bytes thrown away because they came behind <starttls/> in clear.")
	softStops = metric.NewCounter("meerkat_wire_output_soft_total",
		"Times that a client's input was stopped because it does not read its output.")
	slow = metric.NewCounterVec("meerkat_wire_slow_closed_total",
		"Clients closed because they do not read: too much output waited, or none left for too long.",
		"limit", "bytes", "stall")
	handshakeTimeouts = metric.NewCounter("meerkat_wire_tls_timeouts_total",
		"Connections closed because their TLS handshake took too long.")
	rateStops = metric.NewCounter("meerkat_wire_rate_total",
		"Times that a client's input was stopped because it sent more than its rate.")
	upgrades = metric.NewCounter("meerkat_wire_websockets_total",
		"Connections that became WebSockets.")
	pings = metric.NewCounter("meerkat_wire_websocket_pings_total",
		"Ping frames answered.")
	frameErrors = metric.NewCounterVec("meerkat_wire_websocket_errors_total",
		"WebSockets closed because of what the client sent, by the code it was told.",
		"code", "1002", "1003", "1007", "1009")
	yields = metric.NewCounter("meerkat_wire_yields_total",
		"Times that a client's input was put off to the next turn, for the others' sake.")
)
