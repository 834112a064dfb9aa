// Package bosh lets clients talk over HTTP requests (XEP-0124, XEP-0206) that
// cannot use WebSocket.
//
// To the rest of the server a session is a WebSocket without a socket: its
// stream speaks RFC 7395, and this package carries the messages, in the bodies
// of answers and requests. A session lives on the loop of its stream; the
// goroutines of net/http send it their requests and wait for the answers.
//
// What the client is not known to have, because no later request says so, is
// backlog of that WebSocket. When the session dies, its stream gives that back.
package bosh

const (
	nsBind = "http://jabber.org/protocol/httpbind"
	nsXMPP = "urn:xmpp:xbosh" // XEP-0206
	nsOpen = "urn:ietf:params:xml:ns:xmpp-framing"

	// version is the one of XEP-0124 that is implemented (its attribute ver).
	version = "1.11"
)
