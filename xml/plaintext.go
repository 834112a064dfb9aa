package xml

// text reads up to the next '<'.
func (s *plain) text() Error {
	lo, flags := s.p, uint64(0)
	for s.p < len(s.in) {
		size, err := 1, Error(0)
		switch c := s.in[s.p]; {
		case class[c]&isPlainText != 0:
		case c == '<':
			s.addText(lo, s.p, flags)
			return 0
		case c == ']':
			err = s.bracket()
		case c == '&':
			flags = flagEsc
			_, size, err = reference(s.in[s.p:])
		case c == '\r':
			flags = flagEsc
		case c >= 0x80:
			_, size, err = runeAt(s.in[s.p:])
		default:
			return NotWellFormed
		}
		if err != 0 {
			return err
		}
		s.p += size
	}
	return errMore
}

// bracket refuses "]]>" in text.
func (s *plain) bracket() Error {
	if b := s.in[s.p:]; len(b) > 2 && b[1] == ']' && b[2] == '>' {
		return NotWellFormed
	}
	return 0
}

func (t *tree) addText(lo, hi int, flags uint64) {
	if hi > lo {
		t.tape = append(t.tape, entry{pack(lo, hi-lo), kindText | flags})
	}
}

const cdataOpen = "<![CDATA["

// cdata reads a CDATA section; what else begins with "<!" is refused.
func (s *plain) cdata() Error {
	for i := 2; i < len(cdataOpen); i++ {
		if s.p+i >= len(s.in) {
			return errMore
		}
		if s.in[s.p+i] != cdataOpen[i] {
			return Restricted
		}
	}
	s.p += len(cdataOpen)
	lo, flags := s.p, uint64(flagCData)
	for s.p < len(s.in) {
		size, err := 1, Error(0)
		switch c := s.in[s.p]; {
		case c == ']':
			if b := s.in[s.p:]; len(b) > 2 && b[1] == ']' && b[2] == '>' {
				s.addText(lo, s.p, flags)
				s.p += 3
				s.at = s.p
				return 0
			}
		case c == '\r':
			flags |= flagEsc
		case c >= 0x80:
			_, size, err = runeAt(s.in[s.p:])
		case !isChar(uint32(c)):
			return NotWellFormed
		}
		if err != 0 {
			return err
		}
		s.p += size
	}
	return errMore
}
