package xml

import "unicode/utf8"

// Classes of bytes.
const (
	isNameStart = 1 << iota // ASCII that may begin a name, no colon
	isNameChar              // ASCII that may follow, no colon
	isWhite
	isPlainText // ASCII that means itself in text and is no ']'
	isPlainAttr // the same in an attribute value, whatever the quote
	isCleanText // is written as it is in text
)

var class = makeClasses()

func makeClasses() (t [256]uint8) {
	for c := range 128 {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z' || c == '_'
		if letter {
			t[c] |= isNameStart
		}
		if letter || '0' <= c && c <= '9' || c == '-' || c == '.' {
			t[c] |= isNameChar
		}
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			t[c] |= isWhite
		}
		if c == '\t' || c == '\n' || c >= 0x20 && c != '<' && c != '&' && c != ']' {
			t[c] |= isPlainText
		}
		if c == '\t' || c == '\n' || c >= 0x20 && c != '<' && c != '>' && c != '&' {
			t[c] |= isCleanText
		}
		if c >= 0x20 && c != '<' && c != '>' && c != '&' && c != '"' && c != '\'' {
			t[c] |= isPlainAttr
		}
	}
	return t
}

func isSpace(c byte) bool { return class[c]&isWhite != 0 }

// skipSpace returns how much white space b begins with.
func skipSpace(b []byte) int {
	for i, c := range b {
		if !isSpace(c) {
			return i
		}
	}
	return len(b)
}

// runeAt decodes the character at the start of b, whose first byte is not
// ASCII. It answers errMore if b ends inside of a character that is right so
// far, and NotWellFormed for what UTF-8 or XML 1.0 §2.2 forbids.
func runeAt(b []byte) (r rune, size int, err Error) {
	r, size = utf8.DecodeRune(b)
	if r == utf8.RuneError && size <= 1 {
		if !utf8.FullRune(b) {
			return 0, 0, errMore
		}
		return 0, 0, NotWellFormed
	}
	if r == 0xFFFE || r == 0xFFFF {
		return 0, 0, NotWellFormed
	}
	return r, size, 0
}

// isChar tells whether XML 1.0 §2.2 allows r.
func isChar(r uint32) bool {
	switch {
	case r < 0x20:
		return r == '\t' || r == '\n' || r == '\r'
	case r < 0xD800:
		return true
	}
	return r >= 0xE000 && r <= 0x10FFFF && r != 0xFFFE && r != 0xFFFF
}

// nameStarts and nameExtras are the characters above ASCII of NameStartChar and
// what NameChar adds: XML 1.0, 5th edition, §2.3.
var (
	nameStarts = [][2]rune{
		{0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF}, {0x370, 0x37D}, {0x37F, 0x1FFF},
		{0x200C, 0x200D}, {0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF},
		{0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
	}
	nameExtras = [][2]rune{{0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}}
)

func inRanges(r rune, table [][2]rune) bool {
	for _, x := range table {
		if r >= x[0] && r <= x[1] {
			return true
		}
	}
	return false
}

// nameRune tells whether r, above ASCII, may stand in a name.
func nameRune(r rune, first bool) bool {
	return inRanges(r, nameStarts) || !first && inRanges(r, nameExtras)
}

// reference reads the reference at the start of b, which begins with '&'.
func reference(b []byte) (r rune, size int, err Error) {
	if len(b) < 2 {
		return 0, 0, errMore
	}
	if b[1] == '#' {
		return charReference(b)
	}
	size = 1
	for size < len(b) && class[b[size]]&isNameChar != 0 {
		size++
	}
	switch {
	case size == len(b):
		return 0, 0, errMore
	case size == 1 || b[size] != ';' || class[b[1]]&isNameStart == 0:
		return 0, 0, NotWellFormed
	}
	if r = entity(b[1:size]); r == 0 {
		return 0, 0, Restricted
	}
	return r, size + 1, 0
}

// entity returns what a predefined entity stands for.
func entity(name []byte) rune {
	switch string(name) {
	case "lt":
		return '<'
	case "gt":
		return '>'
	case "amp":
		return '&'
	case "apos":
		return '\''
	case "quot":
		return '"'
	}
	return 0
}

// charReference reads &#10; or &#x1F600;.
func charReference(b []byte) (r rune, size int, err Error) {
	i, base := 2, uint32(10)
	if i < len(b) && b[i] == 'x' {
		i, base = 3, 16
	}
	v, digits := uint32(0), i
	for ; i < len(b); i++ {
		d := digit(b[i])
		if d >= base {
			break
		}
		if v = v*base + d; v > 0x10FFFF {
			return 0, 0, NotWellFormed
		}
	}
	switch {
	case i == len(b):
		return 0, 0, errMore
	case i == digits || b[i] != ';' || !isChar(v):
		return 0, 0, NotWellFormed
	}
	return rune(v), i + 1, 0
}

func digit(c byte) uint32 {
	switch {
	case '0' <= c && c <= '9':
		return uint32(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return uint32(c|0x20-'a') + 10
	}
	return 99
}

// appendText appends well-formed text with references replaced and line ends
// made LF (XML 1.0 §2.11).
func appendText(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '&':
			r, n, _ := reference(b[i:])
			dst = utf8.AppendRune(dst, r)
			i += n - 1
		case '\r':
			dst = append(dst, '\n')
			i += lineFeedAt(b, i+1)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendCData is appendText for the inside of a CDATA section.
func appendCData(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\r' {
			c = '\n'
			i += lineFeedAt(b, i+1)
		}
		dst = append(dst, c)
	}
	return dst
}

// appendAttrValue is appendText for an attribute value: literal white space
// becomes spaces (XML 1.0 §3.3.3).
func appendAttrValue(dst, b []byte) []byte {
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '&':
			r, n, _ := reference(b[i:])
			dst = utf8.AppendRune(dst, r)
			i += n - 1
		case '\r':
			dst = append(dst, ' ')
			i += lineFeedAt(b, i+1)
		case '\t', '\n':
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// lineFeedAt is 1 if b[i] is a line feed.
func lineFeedAt(b []byte, i int) int {
	if i < len(b) && b[i] == '\n' {
		return 1
	}
	return 0
}
