package wire

import (
	"sync"

	"meerkat/engine/metric"
	"meerkat/engine/wire/tls"
)

var (
	accepted = metric.NewCounter("meerkat_wire_accepted_total",
		"Connections accepted and let in.")
	rejected = metric.NewCounterVec("meerkat_wire_refused_total",
		"Connections closed at once: too many unauthenticated ones of that address, or in all.",
		"limit", "address", "all")
	turnedOut = metric.NewCounter("meerkat_wire_turned_out_total",
		"Connections closed because they had not logged in and others wanted to.")
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

// handshakes counts those of all TLS servers of a process.
type handshakes struct {
	mu   sync.Mutex
	list []*tls.Server
}

func (h *handshakes) add(t *tls.Server) {
	if t != nil {
		h.mu.Lock()
		h.list = append(h.list, t)
		h.mu.Unlock()
	}
}

func (h *handshakes) sum(of func(tls.Stats) uint64) func() float64 {
	return func() float64 {
		h.mu.Lock()
		defer h.mu.Unlock()
		n := uint64(0)
		for _, t := range h.list {
			n += of(t.Stats())
		}
		return float64(n)
	}
}

func (h *handshakes) publish() {
	metric.NewCounterFunc("meerkat_wire_tls_handshakes_total", "TLS handshakes that ended in a session.",
		h.sum(func(s tls.Stats) uint64 { return uint64(s.Done) }))
	metric.NewCounterFunc("meerkat_wire_tls_failed_total", "TLS handshakes that ended in an error, garbage included.",
		h.sum(func(s tls.Stats) uint64 { return uint64(s.Failed) }))
	metric.NewGaugeFunc("meerkat_wire_tls_waiting", "TLS handshakes that wait for a CPU.",
		h.sum(func(s tls.Stats) uint64 { return uint64(s.Waiting) }))
}
