// Package chat is the page that people without a client of their own chat with:
// converse.js, set up for the server that it comes from. It knows nothing of
// what converse.js says to the server.
//
// The files of converse.js are in assets.zip, which is part of the binary. pack
// makes it from the packages of npm that package-lock.json names; NOTICE.txt in
// it has their licences.
package chat

//go:generate go run ./pack
