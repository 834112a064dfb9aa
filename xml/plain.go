package xml

// plain is the tokenizer that takes one byte after the other. It says what is
// wrong with input that the fast one refuses, reads stream headers, and is what
// the fast one is tested against. It writes the same tape.
type plain struct {
	*tree
	p   int // next byte of in
	lim *Limits
}

// element reads one whole element from the start of t.in.
func (t *tree) plainElement(lim *Limits) (end int, err Error) {
	s := plain{tree: t, lim: lim}
	if err = s.first(); err != 0 {
		return 0, err
	}
	for len(t.frames) > 0 {
		if err = s.content(); err != 0 {
			return 0, err
		}
	}
	return s.p, 0
}

// first reads the start-tag of the top-level element. In its place, CDATA is
// text between stanzas.
func (s *plain) first() Error {
	switch in := s.in; {
	case len(in) < 2:
		return errMore
	case in[1] == '?':
		return instruction(in)
	case in[1] == '!':
		if len(in) == 2 {
			return errMore
		}
		if in[2] == '[' {
			return BadFormat
		}
		return Restricted
	}
	return s.startTag()
}

// content reads text up to a tag, and the tag.
func (s *plain) content() Error {
	if err := s.text(); err != 0 {
		return err
	}
	if s.p+1 >= len(s.in) {
		return errMore
	}
	switch s.in[s.p+1] {
	case '/':
		return s.endTag()
	case '!':
		return s.cdata()
	case '?':
		return instruction(s.in[s.p:])
	}
	return s.startTag()
}

// endTag reads "</name>", which has to match the innermost open element.
func (s *plain) endTag() Error {
	lo := s.p
	f := s.frames[len(s.frames)-1]
	name, _ := s.name(s.tape[f.start])
	s.p += 2
	for _, c := range name {
		if s.p >= len(s.in) {
			return errMore
		}
		if s.in[s.p] != c {
			return NotWellFormed
		}
		s.p++
	}
	s.space()
	if s.p >= len(s.in) {
		return errMore
	}
	if s.in[s.p] != '>' {
		return NotWellFormed
	}
	s.p++
	s.pop(lo, s.p)
	return 0
}

// pop closes the innermost element with an End from lo to hi.
func (t *tree) pop(lo, hi int) {
	start := t.frames[len(t.frames)-1].start
	t.tape[start].a |= uint64(len(t.tape)) << 32
	t.tape = append(t.tape, entry{pack(lo, hi), kindEnd})
	t.frames = t.frames[:len(t.frames)-1]
	for n := len(t.binds); n > 0 && t.binds[n-1] > start; n-- {
		t.binds = t.binds[:n-1]
	}
	t.at = hi
}

func (s *plain) space() {
	s.p += skipSpace(s.in[s.p:])
}

// startTag reads "<name attributes>" or "<name attributes/>".
func (s *plain) startTag() Error {
	s.p++
	lo := s.p
	n, flags, err := s.qname()
	if err != 0 {
		return err
	}
	start := len(s.tape)
	s.tape = append(s.tape, entry{uint64(lo), kindStart | flags | uint64(n)<<8})
	for {
		was := s.p
		s.space()
		if s.p >= len(s.in) {
			return errMore
		}
		switch c := s.in[s.p]; {
		case c == '>':
			s.p++
			return s.open(start)
		case c == '/':
			return s.empty(start)
		case s.p == was:
			return NotWellFormed
		}
		if err := s.attr(start); err != 0 {
			return err
		}
	}
}

// empty reads "/>".
func (s *plain) empty(start int) Error {
	lo := s.p
	if lo+1 >= len(s.in) {
		return errMore
	}
	if s.in[lo+1] != '>' {
		return NotWellFormed
	}
	s.p += 2
	if err := s.open(start); err != 0 {
		return err
	}
	s.pop(lo, s.p)
	return 0
}

// open ends a start-tag.
func (s *plain) open(start int) Error {
	if len(s.frames) >= s.lim.Depth {
		return TooDeep
	}
	if s.elems++; s.elems > s.lim.Elems {
		return TooManyElems
	}
	def, err := s.resolve(uint32(start), s.defaultNS())
	x := s.tape[start]
	s.frames = append(s.frames, frame{x.lo(), x.nameLen(), uint32(start), def})
	s.at = s.p
	return err
}

// defaultNS is the default namespace where the next element begins.
func (t *tree) defaultNS() uint32 {
	if n := len(t.frames); n > 0 {
		return t.frames[n-1].def
	}
	return t.ctx.def()
}

// attr reads one attribute or declaration of the element whose entry is start.
func (s *plain) attr(start int) Error {
	lo := s.p
	n, flags, err := s.qname()
	if err != 0 {
		return err
	}
	after := s.p
	s.space()
	if s.p >= len(s.in) {
		return errMore
	}
	if s.in[s.p] != '=' {
		return NotWellFormed
	}
	s.p++
	s.space()
	if s.p >= len(s.in) {
		return errMore
	}
	if s.p != after+1 {
		flags |= flagGap
	}
	return s.addAttr(start, lo, n, flags)
}

// addAttr reads the value of the attribute named in[lo:lo+n], and records it.
func (s *plain) addAttr(start, lo, n int, flags uint64) Error {
	vlo, esc, err := s.attrValue()
	if err != 0 {
		return err
	}
	if len(s.tape)-start > s.lim.Attrs {
		return TooManyAttrs
	}
	kind := attrKind(s.in[lo : lo+n])
	s.tape = append(s.tape, entry{pack(vlo, s.p-1-vlo), kind | flags | esc | uint64(n)<<8})
	if s.repeats(start, s.in[lo:lo+n]) {
		return NotWellFormed
	}
	return 0
}

func attrKind(name []byte) uint64 {
	if prefix, local := split(name); string(prefix) == "xmlns" || prefix == nil && string(local) == "xmlns" {
		return kindDecl
	}
	return kindAttr
}

// repeats tells whether name, that of the last entry, is also that of an
// earlier one of the element at start.
func (t *tree) repeats(start int, name []byte) bool {
	for _, x := range t.tape[start+1 : len(t.tape)-1] {
		if int(x.nameLen()) != len(name) {
			continue
		}
		if other, _ := t.name(x); string(other) == string(name) {
			return true
		}
	}
	return false
}

// attrValue reads a value with its quotes, and returns where it begins.
func (s *plain) attrValue() (lo int, flags uint64, err Error) {
	quote := s.in[s.p]
	if quote != '\'' && quote != '"' {
		return 0, 0, NotWellFormed
	}
	s.p++
	lo = s.p
	for s.p < len(s.in) {
		size, err := 1, Error(0)
		switch c := s.in[s.p]; {
		case class[c]&isPlainAttr != 0:
		case c == quote:
			s.p++
			return lo, flags, 0
		case c == '"' || c == '\'' || c == '>':
		case c == '&':
			flags = flagEsc
			_, size, err = reference(s.in[s.p:])
		case isSpace(c):
			flags = flagEsc
		case c >= 0x80:
			_, size, err = runeAt(s.in[s.p:])
		default:
			return 0, 0, NotWellFormed
		}
		if err != 0 {
			return 0, 0, err
		}
		s.p += size
	}
	return 0, 0, errMore
}

// qname reads a name with at most one colon, and returns its length.
func (s *plain) qname() (n int, flags uint64, err Error) {
	lo := s.p
	if err = s.ncname(); err != 0 {
		return 0, 0, err
	}
	if s.in[s.p] == ':' {
		s.p++
		if err = s.ncname(); err != 0 {
			return 0, 0, err
		}
		flags = flagPrefix
	}
	return s.p - lo, flags, 0
}

// ncname reads a name without a colon; there is a byte behind it.
func (s *plain) ncname() Error {
	for first := true; s.p < len(s.in); first = false {
		c := s.in[s.p]
		size, want := 1, uint8(isNameChar)
		if first {
			want = isNameStart
		}
		if c >= 0x80 {
			r, n, err := runeAt(s.in[s.p:])
			if err != 0 {
				return err
			}
			if !nameRune(r, first) {
				return NotWellFormed
			}
			size = n
		} else if class[c]&want == 0 {
			if first {
				return NotWellFormed
			}
			return 0
		}
		s.p += size
	}
	return errMore
}
