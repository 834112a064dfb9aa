// Package avatar keeps people's pictures in one place, whichever way clients set
// and look for them (XEP-0398 1.0.0): the nodes of XEP-0084 1.1.4 have them, cards
// (XEP-0054) show them, and presence has their hash (XEP-0153 1.1.1).
//
// What is in presence is stored apart, so that a login costs one look for it; an
// account without a picture costs a flag of its sessions after that.
package avatar

import (
	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/metric"
	"meerkat/engine/pubsub"
	"meerkat/xml"
)

// Namespaces, the first two of which are the names of nodes.
const (
	dataSpace     = "urn:xmpp:avatar:data"
	metadataSpace = "urn:xmpp:avatar:metadata"
	updateSpace   = "vcard-temp:x:update"
	cardSpace     = "vcard-temp"
)

var (
	fromCards = metric.NewCounter("meerkat_avatar_from_cards_total",
		"Pictures in cards that were published in nodes for clients that look there (XEP-0398).")
	fromNodes = metric.NewCounter("meerkat_avatar_from_nodes_total",
		"Pictures published in nodes that cards show from then on.")
	shown = metric.NewCounter("meerkat_avatar_in_cards_total",
		"Pictures put into cards that somebody asked for.")
	tooBig = metric.NewCounter("meerkat_avatar_refused_total",
		"Pictures refused because of limits.avatar_bytes.")
	news = metric.NewCounter("meerkat_avatar_presence_total",
		"Presence sent again because a picture was set, changed or removed.")
)

// Feature has the pictures of all accounts.
type Feature struct {
	host *pubsub.Host
	// again is what presence passes that a session broadcasts.
	again feature.Stage

	known   account.Slot[picture] // of accounts that have one and are here
	without account.Flag          // the session's account has none
	stamped account.Flag          // the last presence of the session has an element of ours
	scratch []scratch             // by loop
}

// scratch is where presence is written anew.
type scratch struct {
	doc xml.Doc
	b   []byte
}

// New returns the feature. host has the nodes of accounts, broadcast is the stage
// that sends presence to contacts; loops is how many there are.
func New(flags *account.Flags, host *pubsub.Host, broadcast feature.Stage, loops int) (feature.Feature, *Feature) {
	f := &Feature{
		host: host, again: broadcast,
		known: account.NewSlot[picture](flags), without: flags.New("no avatar"), stamped: flags.New("avatar"),
		scratch: make([]scratch, loops),
	}
	host.Watch(pubsub.Watcher{Node: dataSpace, Changed: f.dataChanged})
	host.Watch(pubsub.Watcher{Node: metadataSpace, Changed: f.changed})
	return feature.Feature{
		Name:         "avatar",
		Spec:         "XEP-0084, XEP-0153, XEP-0398",
		AccountDisco: []string{"urn:xmpp:pep-vcard-conversion:0"},
		Freeze:       f.freeze,
		Thaw:         f.thaw,
	}, f
}
