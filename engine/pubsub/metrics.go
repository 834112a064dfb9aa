package pubsub

import "meerkat/engine/metric"

var (
	published = metric.NewCounter("meerkat_pubsub_published_total", "Items published, by clients and by the server itself.")
	events    = metric.NewCounter("meerkat_pubsub_events_total", "Events that went out, each to all who get it.")
	targets   = metric.NewCounter("meerkat_pubsub_event_targets_total", "Addresses that events went to, before anybody's filter.")
	lastItems = metric.NewCounter("meerkat_pubsub_last_items_total", "Last items sent to who has just come or subscribed.")
	cut       = metric.NewCounter("meerkat_pubsub_last_items_cut_total", "Nodes whose last item was not sent to who came, because others of the same owner were large.")
	refused   = metric.NewCounter("meerkat_pubsub_refused_total", "Requests answered with an error.")
	full      = metric.NewCounterVec("meerkat_pubsub_full_total",
		"Requests refused because of a limit: limits.pep_* of accounts, section pubsub of the service.", "limit", "nodes", "item_bytes", "bytes", "subscribers")
)

// Indexes of full.
const (
	fullNodes = iota
	fullItemBytes
	fullBytes
	fullSubscribers
)
