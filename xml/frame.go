package xml

// The framer finds where an element ends whose bytes come in several reads. It
// looks at each byte once and keeps 3 bytes of state. It is never trusted: when
// it says that an element is whole, the tokenizer has to agree. What no element
// can hold it refuses at once, so that a bad stream is not collected up to the
// limit in vain.

// States of the framer.
const (
	inText  = iota
	inLess  // behind '<'
	inTag   // in a start-tag, outside of values
	inSlash // the same, behind '/'
	inApos  // in a value
	inQuot
	inEnd    // in an end-tag
	inBang   // behind "<!"; the six states from here read "[CDATA["
	inCData  = inBang + 7
	inSqb1   = inCData + 1 // in CDATA, behind ']'
	inSqb2   = inCData + 2 // behind "]]"
	inAsk    = inSqb2 + 1  // behind "<?"; the three states from here read "xml"
	inDecl   = inAsk + 3   // behind "<?xml"
	nStates  = 32          // a power of two: an index needs no test
	inHeader = nStates - 3 // no states of the framer: in a header, outside of values
	inHeadA  = nStates - 2 // in its values
	inHeadQ  = nStates - 1

	actOpen   = 0x80 // the byte ends a start-tag
	actEmpty  = 0x40 // the byte ends an empty-element tag
	actClose  = 0xC0 // the byte ends an end-tag
	actRefuse = 0x20 // no element has this
	actMask   = 0xE0
)

// steps says which state follows when a byte comes, and what it does.
var steps = makeSteps()

func makeSteps() (t [nStates][256]uint8) {
	set := func(state int, next uint8) {
		for c := range t[state] {
			t[state][c] = next
		}
	}
	for _, s := range []int{inText, inTag, inApos, inQuot, inEnd, inCData} {
		set(s, uint8(s))
	}
	for _, s := range []int{inText, inTag, inSlash, inApos, inQuot, inEnd} {
		t[s]['<'] = actRefuse
	}
	for _, s := range []int{inHeader, inHeadA, inHeadQ} {
		set(s, actRefuse)
	}
	t[inText]['<'] = inLess
	set(inLess, inTag)
	t[inLess]['/'], t[inLess]['!'], t[inLess]['?'] = inEnd, inBang, inAsk
	for _, c := range "<>= \t\r\n'\"&" {
		t[inLess][c] = actRefuse
	}
	t[inTag]['/'], t[inTag]['\''], t[inTag]['"'], t[inTag]['>'] = inSlash, inApos, inQuot, inText|actOpen
	set(inSlash, actRefuse)
	t[inSlash]['>'] = inText | actEmpty
	t[inApos]['\''], t[inQuot]['"'] = inTag, inTag
	t[inEnd]['>'] = inText | actClose
	for i, c := range cdataOpen[2:] {
		set(inBang+i, actRefuse)
		t[inBang+i][c] = uint8(inBang + i + 1)
	}
	t[inBang]['['] |= actRefuse // unless an element is open
	t[inCData][']'] = inSqb1
	set(inSqb1, inCData)
	t[inSqb1][']'] = inSqb2
	set(inSqb2, inCData)
	t[inSqb2][']'], t[inSqb2]['>'] = inSqb2, inText
	for i, c := range declOpen[2:] {
		set(inAsk+i, actRefuse)
		t[inAsk+i][c] = uint8(inAsk + i + 1)
	}
	set(inDecl, actRefuse)
	return t
}

// advance frames the bytes of in, which follow those seen before. When the
// element ends, done is set and n is where.
func (s *State) advance(in []byte, maxDepth int) (n int, done bool, err Error) {
	for i, c := range in {
		if done, err = s.step(c, maxDepth); done || err != 0 {
			return i + 1, done, err
		}
	}
	return len(in), false, 0
}

// step frames one byte.
func (s *State) step(c byte, maxDepth int) (done bool, err Error) {
	state := s.frame
	next := steps[state%nStates][c]
	s.frame = next &^ actMask
	if next&actMask == 0 {
		return false, 0
	}
	return s.act(next, state, c, maxDepth)
}

// act does what the end of a tag asks for.
func (s *State) act(next, state, c uint8, maxDepth int) (done bool, err Error) {
	switch next & actMask {
	case actRefuse:
		return false, s.refuse(state, c)
	case actOpen:
		if s.depth++; int(s.depth) > maxDepth {
			return false, TooDeep
		}
	case actClose:
		if s.depth <= 1 { // 0: the end-tag of the stream
			s.depth = 0
			return true, 0
		}
		s.depth--
	case actEmpty:
		return s.depth == 0, 0
	}
	return false, 0
}

// refuse says what is wrong with c in that state. It is nothing if a CDATA
// section begins within an element.
func (s *State) refuse(state, c uint8) Error {
	switch {
	case state == inBang && c == '[':
		if s.depth == 0 {
			return BadFormat
		}
		return 0
	case state == inDecl && isSpace(c):
		return NotWellFormed
	case state >= inBang && state < inCData || state >= inAsk && state <= inDecl:
		return Restricted
	}
	return NotWellFormed
}

// endsHeader tells whether in, which goes on with a header, has a '>' outside of
// values.
func (s *State) endsHeader(in []byte) bool {
	ends := false
	for _, c := range in {
		switch {
		case s.frame == inHeadA && c == '\'', s.frame == inHeadQ && c == '"':
			s.frame = inHeader
		case s.frame != inHeader:
		case c == '\'':
			s.frame = inHeadA
		case c == '"':
			s.frame = inHeadQ
		case c == '>':
			ends = true
		}
	}
	return ends
}
