// Package clients has the tests of the real binary: it is built, started with a
// directory of its own, stopped and killed, and talked to over TCP and TLS.
//
// The tests behind the tag "interop" talk to it with clients that nobody here
// wrote: slixmpp and aioxmpp (Debian), @xmpp/client and stanza (npm), mellium.im/xmpp
// (Go), go-sendxmpp, and the chat page in Chromium. `.ci/run` installs them and runs
//
//	go test -tags interop ./engine/enginetest/clients
//
// A scenario is written once, in Go, for all of them. Each client is a program
// in testdata, or a goroutine, that takes commands as lines of JSON and reports
// what happens as lines of JSON; command and event are their vocabulary.
package clients
