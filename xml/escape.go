package xml

import "unicode/utf8"

// escapes says what stands for a byte: in text, in attribute values. Zero is
// the byte itself.
var textEscapes, attrEscapes = makeEscapes()

func makeEscapes() (text, attr [256]string) {
	for c := range 0x20 {
		text[c] = "\uFFFD" // no XML document can hold it: XML 1.0 §2.2
	}
	text['\t'], text['\n'] = "", ""
	text['\r'] = "&#13;"
	text['<'], text['>'], text['&'] = "&lt;", "&gt;", "&amp;"
	attr = text
	attr['\t'], attr['\n'] = "&#9;", "&#10;"
	attr['\''], attr['"'] = "&apos;", "&quot;"
	return text, attr
}

// AppendEscaped appends s as text. What XML can't hold (control characters,
// bytes that are not UTF-8) becomes U+FFFD.
func AppendEscaped(dst, s []byte) []byte { return appendEscaped(dst, s, &textEscapes, isCleanText) }

// AppendEscapedString is AppendEscaped for a string.
func AppendEscapedString(dst []byte, s string) []byte {
	return appendEscaped(dst, s, &textEscapes, isCleanText)
}

// AppendEscapedAttr is AppendEscaped for an attribute value in quotes of either
// kind.
func AppendEscapedAttr(dst, s []byte) []byte { return appendEscaped(dst, s, &attrEscapes, isPlainAttr) }

// AppendEscapedAttrString is AppendEscapedAttr for a string.
func AppendEscapedAttrString(dst []byte, s string) []byte {
	return appendEscaped(dst, s, &attrEscapes, isPlainAttr)
}

// appendEscaped copies runs of bytes of the class plain in one go.
func appendEscaped[T string | []byte](dst []byte, s T, with *[256]string, plain uint8) []byte {
	from := 0
	for i := 0; i < len(s); {
		for i+8 <= len(s) && allPlain(load8(s[i:])) {
			i += 8
		}
		if i == len(s) {
			break
		}
		c := s[i]
		if class[c]&plain != 0 {
			i++
			continue
		}
		size, as := 1, with[c]
		if c >= 0x80 {
			size, as = runeEscape(s[i:min(len(s), i+utf8.UTFMax)])
		}
		if as != "" {
			dst = append(append(dst, s[from:i]...), as...)
			from = i + size
		}
		i += size
	}
	return append(dst, s[from:]...)
}

// load8 returns the first 8 bytes of s.
func load8[T string | []byte](s T) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// allPlain tells whether none of the 8 bytes of x is a quote, '&', '<', '>',
// below 0x20 or above 0x7F, which text and attributes both can hold as they are.
func allPlain(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quot := x ^ ones*'"'
	amps := x&^ones ^ ones*'&'     // '&' and the apostrophe
	tags := x&^(ones*2) ^ ones*'<' // '<' and '>'
	low := (x - ones*0x20) &^ x    // below 0x20
	zero := (quot-ones)&^quot | (amps-ones)&^amps | (tags-ones)&^tags
	return (x|low|zero)&tops == 0
}

// runeEscape returns the length of the character at the start of s, and what
// to write for it if XML can't hold it.
func runeEscape[T string | []byte](s T) (size int, as string) {
	var b [utf8.UTFMax]byte
	_, size, err := runeAt(b[:copy(b[:], s)])
	if err == 0 {
		return size, ""
	}
	_, size = utf8.DecodeRune(b[:len(s)])
	return size, "\uFFFD"
}
