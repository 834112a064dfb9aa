// Package xml turns the bytes of an XMPP stream, however reads cut them, into
// elements, and writes elements by appending bytes. It is as strict as RFC 6120
// section 11 and Namespaces in XML 1.0 ask, and knows nothing of sockets,
// addresses or what a stanza means.
//
// A [Parser] belongs to one event loop and holds all buffers; a connection
// keeps only a [State] of 16 bytes. What comes out is an [Elem], a view that
// borrows the bytes it was read from. A [Builder] writes new elements, and
// [Elem.AppendEdited] forwards one that was read.
package xml

// Limits bound what one phase of a stream may send. A Limits is shared and
// never changed once a Parser has seen it. Every field must be set.
type Limits struct {
	Bytes  int // bytes of one top-level element, at most MaxBytes
	Header int // bytes of the XML declaration and the stream header together
	Depth  int // elements inside each other, the top-level one included, at most MaxDepth
	Attrs  int // attributes and namespace declarations of one element
	Elems  int // elements in one top-level element, itself included
}

// Largest values a Limits may hold.
const (
	MaxBytes = 1<<24 - 1
	MaxDepth = 1<<15 - 1
)

// Kind is what Parser.Next found.
type Kind uint8

const (
	None    Kind = iota // all input is used and kept if unfinished; more is needed
	Header              // the stream header; its Elem is the start-tag, without children
	Element             // a complete top-level element
	End                 // the end-tag of the stream
)

// Namespace names that this package has to know.
const (
	nsXML    = "http://www.w3.org/XML/1998/namespace"
	nsXMLNS  = "http://www.w3.org/2000/xmlns/"
	nsStream = "http://etherx.jabber.org/streams"
	nsClient = "jabber:client"
	nsServer = "jabber:server"
)

// isContent tells whether ns is a content namespace of RFC 6120 §4.8.2.
func isContent[T string | []byte](ns T) bool {
	return string(ns) == nsClient || string(ns) == nsServer
}

// State is all that a connection keeps between two reads. It has no pointer.
// The zero State awaits a stream header.
type State struct {
	ctx   uint32 // what the stream header declared, see contexts
	part  uint32 // buffer of an unfinished element in the Parser; 0 is none
	held  uint32 // bytes in that buffer
	depth uint16 // framer: elements open before the next byte
	frame uint8  // framer: its state
	mode  uint8
}

// Modes of a State.
const (
	modeHeader = iota // a declaration or a stream header is awaited
	modeAgain         // the same; white space that comes is of the old stream
	modeSpaced        // the same, but white space came: no declaration any more
	modeStream        // top-level elements or the end-tag
	modeFramed        // one element after the other, with no stream around them
	modeClosed        // the end-tag was read: only white space may follow
	modeFailed        // an error was answered
)

// Restart makes s await a new stream header, as after STARTTLS and SASL
// (RFC 6120 §4.3.3). Nothing of the old stream is left, but white space behind
// its last element may still come: clients end their elements with a line feed.
func (s *State) Restart() { *s = State{part: s.part, mode: modeAgain} }

// Framed makes s read WebSocket messages (RFC 7395 §3.3): there is no stream
// header, each element carries its own declarations, and outside of it there is
// no default namespace.
func (s *State) Framed() { *s = State{part: s.part, mode: modeFramed} }

// Partial tells whether an unfinished element or header is held by the Parser
// that saw its bytes. Only when it is not may s move to another Parser. After
// Next answered Header, Element or End it never is.
func (s *State) Partial() bool { return s.held != 0 }
