// Package web is the HTTP side of the server: it turns requests for /ws into
// WebSockets (RFC 6455, RFC 7395) and gives all others to net/http.
//
// A connection lives on an event loop like every other one, TLS included. The
// head of each request is read and judged there, so that nobody holds a
// goroutine before he has said what he wants. net/http then gets that request
// and nothing behind it, over a net.Conn in memory; when it has answered, the
// loop reads the next head.
package web
