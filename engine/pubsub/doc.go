// Package pubsub is publish-subscribe (XEP-0060 1.30.0) for whoever serves nodes:
// an account (XEP-0163) or a service on a domain of its own. It has the nodes in
// the store, the requests, the events and who gets them. Who serves them is a
// Host; what is different between accounts and services is a field of that.
//
// Features that keep something of theirs in nodes of accounts get the accounts'
// Host from engine/features.go. They read in a View,
//
//	n, err := pubsub.Find(tx, owner, "urn:xmpp:bookmarks:1") // nil, nil: no such node
//	it, ok := n.Item(tx, owner, id)                          // or n.LastItem, n.EachItem
//
// and write as the server in an Update; what subscribers hear goes out after the
// commit, on the owner's loop:
//
//	limits := host.Limits(env.Config)
//	var ev *pubsub.Event
//	env.Update(func(tx *store.Tx) (err error) {
//		ev, err = host.Publish(tx, limits, owner, node, pubsub.Item{ID: id, Payload: xml, Time: now}, &config)
//		return err // or host.Retract
//	}, func(err error) {
//		if err == nil {
//			ev.Send(env) // a nil *Event says nothing
//		}
//	})
//
// To hear of what clients change at such a node, in the same transaction, they
// give the Host a Watcher before the server starts. Owner is the bare JID.
package pubsub

// Namespaces of XEP-0060.
const (
	Space      = "http://jabber.org/protocol/pubsub"
	OwnerSpace = Space + "#owner"
	EventSpace = Space + "#event"
	errorSpace = Space + "#errors"

	configForm  = Space + "#node_config"
	optionsForm = Space + "#publish-options"
	metaForm    = Space + "#meta-data"
	infoSpace   = "http://jabber.org/protocol/disco#info"
	itemsSpace  = "http://jabber.org/protocol/disco#items"
)

// nowhere is a namespace that no payload is in: what is written for it declares
// its own.
const nowhere = "urn:meerkat:nowhere"
