// Package enginetest plays transcripts: conversations with the server, written
// so that a person can read them, against a real engine in memory or against a
// running server.
//
// A transcript is a text file, *.xmpp, played from top to bottom. Lines that
// begin with # are comments. A step begins at the left margin; the lines after
// it that begin with a tab or a blank belong to it. C is the name of a client.
//
//	config                      TOML of the server's configuration, before any
//	    limits.stanza = "10kB"  other step. The domain is "test".
//	account NAME PASSWORD       there is such an account; NAME may have a domain
//	client USER/RESOURCE        a client of that name logs in as USER@test and
//	                            binds RESOURCE; it sends no presence. The account
//	                            is made, with the password "secret".
//	client C as USER@DOMAIN/RESOURCE
//	raw C                       a connection on which nothing is said yet
//	raw C direct                the same, under TLS from the first byte
//	C speaks LANG               xml:lang of the stream headers to come
//	C opens                     sends a stream header, takes header and features
//	C secures                   STARTTLS and a new stream
//	C handshakes                begins TLS, no more
//	C logs in as USER           SASL and a new stream, takes the features
//	C binds RESOURCE            binds it
//	C sends                     the lines below, without indentation
//	C sends TEXT                TEXT, with the escapes of a Go string, and
//	                            {x*1000} for 1000 times x
//	C receives                  the elements below, in this order, and no others
//	                            before them
//	C receives anyorder         the same in any order
//	C receives nothing          all is quiet, and nothing is left unread
//	C closed                    the server has closed the connection, and nothing
//	                            is left unread
//	C cut                       the same, whatever is left unread, such as an
//	                            alert of TLS
//	C closes                    ends its stream, takes the server's end
//	C drops                     the connection is cut
//	C stops reading             what the server sends piles up
//	C reads again
//	ids matter                  stanza-ids of the archive, which may be missing in
//	                            what is expected, may not from here on
//	wait 5s                     the clock moves
//	restart server              it stops and starts on the same store; what the
//	                            old connections were told can still be received
//	crash server                the same without a goodbye to anybody
//
// What is received is compared as a tree: order of attributes, prefixes, and
// white space between elements do not matter. In what is expected,
//
//	<...>          any more children and text, at the end of an element
//	... in a tag   any more attributes
//	{}             any text, in an attribute or in text
//	{name}         any text the first time, which gets this name; later, and in
//	               what is sent, the same text
//
// <stream:stream ...> and </stream:stream> stand for the header and the end of
// a stream. A "stream:error" is an element like any other.
package enginetest
