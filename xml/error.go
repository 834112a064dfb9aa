package xml

// Error says what is wrong with the input. Every error of this package is one,
// and making it does not allocate.
type Error uint8

const (
	_             Error = iota
	NotWellFormed       // XML 1.0 or Namespaces in XML forbid it
	Restricted          // comment, processing instruction, DTD or entity: RFC 6120 §11.1
	BadEncoding         // another encoding than UTF-8 is declared or used: RFC 6120 §11.6
	BadPrefix           // a prefix is bound to no namespace
	BadFormat           // text between top-level elements
	Reopened            // a stream header where none is due
	TooBig              // Limits.Bytes or Limits.Header is passed
	TooDeep             // Limits.Depth is passed
	TooManyAttrs        // Limits.Attrs is passed, or too many prefixes are in scope
	TooManyElems        // Limits.Elems is passed
	NoRoom              // the Parser holds Parser.MaxHeld bytes of unfinished elements

	errMore Error = 255 // inside this package: no error so far, more bytes are needed
)

var errorTexts = [...]string{
	NotWellFormed: "not well-formed",
	Restricted:    "comment, processing instruction, DTD or entity",
	BadEncoding:   "encoding is not UTF-8",
	BadPrefix:     "prefix is not bound to a namespace",
	BadFormat:     "text between stanzas",
	Reopened:      "stream header inside a stream",
	TooBig:        "too many bytes",
	TooDeep:       "nested too deeply",
	TooManyAttrs:  "too many attributes",
	TooManyElems:  "too many elements",
	NoRoom:        "too many bytes of unfinished elements held",
}

// Error returns a text for logs.
func (e Error) Error() string {
	if int(e) < len(errorTexts) && errorTexts[e] != "" {
		return "xml: " + errorTexts[e]
	}
	return "xml: unknown error"
}
