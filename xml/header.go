package xml

import "bytes"

// header reads an XML declaration, if there is one, and the stream header
// (RFC 6120 §4.7). t.in begins with '<'. bare says that white space came before,
// so that no declaration may follow.
func (t *tree) header(lim *Limits, bare bool) (end int, err Error) {
	if bytes.HasPrefix(t.in, []byte("<\x00")) {
		return 0, BadEncoding // UTF-16
	}
	s := plain{tree: t, lim: lim}
	if !bare {
		if err = s.declaration(); err != 0 {
			return 0, err
		}
	}
	s.space()
	switch in := s.in[s.p:]; {
	case len(in) < 2:
		if len(in) == 1 && in[0] != '<' {
			return 0, NotWellFormed
		}
		return 0, errMore
	case in[0] != '<' || in[1] == '/':
		return 0, NotWellFormed
	case in[1] == '!':
		return 0, Restricted
	case in[1] == '?':
		return 0, instruction(in)
	}
	if err = s.startTag(); err != 0 {
		return 0, err
	}
	if len(t.frames) == 0 { // <stream/>
		return 0, NotWellFormed
	}
	s.pop(s.p, s.p)
	return s.p, 0
}

const declOpen = "<?xml"

// instruction says what is wrong with in, which begins with "<?". An XML
// declaration behind the first bytes of a stream is no processing instruction
// (XML 1.0 §2.6), and none has a place in the grammar.
func instruction(in []byte) Error {
	n := min(len(in), len(declOpen))
	switch {
	case string(in[:n]) != declOpen[:n]:
		return Restricted
	case len(in) <= len(declOpen):
		return errMore
	case isSpace(in[len(declOpen)]):
		return NotWellFormed
	}
	return Restricted
}

// declaration skips "<?xml version='1.0' encoding='UTF-8' standalone='yes'?>".
func (s *plain) declaration() Error {
	in := s.in
	n := min(len(in), len(declOpen))
	if string(in[:n]) != declOpen[:n] {
		return 0
	}
	if len(in) <= len(declOpen) {
		return errMore
	}
	if !isSpace(in[len(declOpen)]) {
		return 0 // <?xml-stylesheet: refused as what it is
	}
	s.p = len(declOpen)
	return s.pseudoAttrs()
}

// pseudoAttrs reads the inside of the declaration and its end.
func (s *plain) pseudoAttrs() Error {
	next := 0 // what may come: all, all but version, only standalone, nothing
	for {
		was := s.p
		s.space()
		rest := s.in[s.p:]
		if len(rest) > 0 && rest[0] == '?' {
			if len(rest) < 2 {
				return errMore
			}
			if rest[1] != '>' || next == 0 {
				return NotWellFormed
			}
			s.p += 2
			return 0
		}
		if len(rest) > 0 && was == s.p {
			return NotWellFormed
		}
		i, err := s.pseudoAttr()
		if err != 0 {
			return err
		}
		if i < next || next == 0 && i != 0 {
			return NotWellFormed
		}
		next = i + 1
	}
}

var pseudoNames = [...]string{"version", "encoding", "standalone"}

// pseudoAttr reads one of the three, and returns which it was.
func (s *plain) pseudoAttr() (int, Error) {
	lo := s.p
	if err := s.ncname(); err != 0 {
		return 0, err
	}
	name := s.in[lo:s.p]
	s.space()
	if s.p < len(s.in) && s.in[s.p] != '=' {
		return 0, NotWellFormed
	}
	s.p = min(s.p+1, len(s.in))
	s.space()
	if s.p >= len(s.in) {
		return 0, errMore
	}
	vlo, flags, err := s.attrValue()
	if err != 0 {
		return 0, err
	}
	if flags != 0 {
		return 0, NotWellFormed
	}
	for i, n := range pseudoNames {
		if string(name) == n {
			return i, pseudoValue(i, s.in[vlo:s.p-1])
		}
	}
	return 0, NotWellFormed
}

// pseudoValue checks a value: any 1.x is read as 1.0 (XML 1.0, 5th edition, §2.8).
func pseudoValue(i int, v []byte) Error {
	ok := false
	switch i {
	case 0:
		ok = len(v) > 2 && v[0] == '1' && v[1] == '.' && allDigits(v[2:])
	case 1:
		if !bytes.EqualFold(v, []byte("UTF-8")) {
			return BadEncoding
		}
		ok = true
	case 2:
		ok = string(v) == "yes" || string(v) == "no"
	}
	if !ok {
		return NotWellFormed
	}
	return 0
}

func allDigits(v []byte) bool {
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// streamEnd reads "</stream:stream>", where name is that of the header.
func streamEnd(in []byte, name string) (end int, err Error) {
	if name == "" {
		return 0, NotWellFormed
	}
	p := len("</")
	n := min(len(in)-p, len(name))
	if string(in[p:p+n]) != name[:n] {
		return 0, NotWellFormed
	}
	p += n
	p += skipSpace(in[p:])
	switch {
	case p == len(in):
		return 0, errMore
	case n < len(name) || in[p] != '>':
		return 0, NotWellFormed
	}
	return p + 1, 0
}
