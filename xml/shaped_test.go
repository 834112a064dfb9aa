package xml

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// shaper makes stanzas of a byte string: each choice takes a byte. They are
// mostly well-formed, and made of what is near the borders of the tokenizer's
// words, masks and steps: lengths, alignments, names that begin alike.
type shaper struct {
	data []byte
	b    []byte
	n    int      // elements so far
	most int      // elements there may be
	calm int      // how many of 8 choices are the first, which is ordinary
	used []string // names so far
}

// pick chooses one of k.
func (g *shaper) pick(k int) int {
	if len(g.data) == 0 {
		return 0
	}
	c := g.data[0]
	g.data = g.data[1:]
	return int(c) % k
}

func (g *shaper) of(list ...string) string {
	if g.ordinary() {
		return list[0]
	}
	return list[g.pick(len(list))]
}

func (g *shaper) ordinary() bool     { return g.calm > 0 && g.pick(8) < g.calm }
func (g *shaper) add(list ...string) { g.b = append(g.b, g.of(list...)...) }

// shaped makes a stanza, and at times a second one or a fault.
func shaped(data []byte) []byte {
	g := &shaper{data: data}
	g.most, g.calm = []int{1, 2, 3, 8, 60}[g.pick(5)], []int{0, 4, 7, 8}[g.pick(4)]
	faults := g.pick(4) // none: half of the time
	for range 1 + g.pick(8)/7 {
		g.element(0)
	}
	for range max(0, faults-1) {
		g.fault()
	}
	return g.b
}

// shapedLengths are of names, values and text.
var shapedLengths = []int{0, 1, 2, 3, 4, 6, 7, 8, 9, 14, 15, 16, 17, 24, 31, 40, 47, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 70, 90, 119, 127, 128, 129, 190, 200, 400, 508, 511, 512, 513, 520, 600}

func (g *shaper) length() int { return shapedLengths[g.pick(len(shapedLengths))] }

// name makes a name without a prefix, or takes one again.
func (g *shaper) name() string {
	n := g.newName()
	if k := len(g.used); k > 0 && g.pick(24) == 0 {
		n = g.used[k-1-g.pick(min(k, 8))]
	}
	g.used = append(g.used, n)
	if g.pick(64) == 0 { // no name, or another
		i := g.pick(len(n))
		n = n[:i] + g.of("%", "+", "\x7f", ":", "z", "\t") + n[i+1:]
	}
	return n
}

func (g *shaper) newName() string {
	if g.ordinary() {
		return ordinaryNames[g.pick(len(ordinaryNames))]
	}
	switch g.pick(8) {
	case 0:
		return strings.Repeat("n", max(1, g.length()))
	case 1:
		return "abcdefgh" + strings.Repeat(g.of("i", "j"), g.length()%60) // alike in a word
	case 2:
		return strings.Repeat("n", g.length()%70) + g.of("é", "й", "中", "𐀀", "a·", "a-", "a.", "_") + g.of("", "n", "nnnnnnnn")
	case 3:
		return "nnnnnnnnnnnnnnnnn"[:15+g.pick(3)]
	case 4:
		return strings.Repeat("n", 52+g.pick(16))
	case 5: // at times not a name
		return g.of("n", "n", "é", "n", "-", ".", "7", "·", "") + g.of("n", "nn", "nnnnnnnn")
	}
	return g.of("xmln", "xmlns1", "xml", "lang", "xml_lang", "stream", "A", "z", "Z9", "_")
}

var ordinaryNames = strings.Fields("to from id type a b c d e message iq presence stamp node ver hash category affiliation subscription")

func (g *shaper) element(depth int) {
	g.n++
	name := g.name()
	prefix := g.of("", "", "p:", "q:", "stream:")
	name = prefix + name
	g.b = append(append(g.b, '<'), name...)
	if (prefix == "p:" || prefix == "q:") && g.pick(3) > 0 {
		g.b = append(g.b, " xmlns:"+prefix[:1]+"='urn:"+prefix[:1]+"'"...)
	}
	for range g.pick(6) {
		g.attr()
	}
	g.add("", "", "", "", " ", "\n")
	if g.pick(3) == 0 {
		g.b = append(g.b, "/>"...)
		return
	}
	g.b = append(g.b, '>')
	for range g.pick(5) {
		if g.n < g.most && g.pick(4) > 0 {
			g.element(depth + 1)
		} else {
			g.text()
		}
	}
	if g.pick(64) < 1+len(name)/15*7 { // another letter in the end-tag
		i := g.pick(len(name))
		name = name[:i] + "m" + name[i+1:]
	}
	g.b = append(append(append(g.b, "</"...), name...), g.of("", "", "", " ", "\t")+">"...)
	if prefix != "" && g.pick(6) == 0 { // out of scope, if it was declared there
		g.b = append(g.b, "<"+prefix+"n/>"...)
	}
}

func (g *shaper) attr() {
	g.add(" ", " ", " ", "  ", "\n", "\t")
	switch g.pick(12) {
	case 0:
		g.b = append(g.b, g.of("xmlns", "xmlns:p", "xmlns:q", "xmlns:r")+"="...)
		g.add("'urn:x'", "'urn:p'", "'urn:&#112;'", "\"urn:q\"", "'jabber:client'", "'urn:r'", "' urn:r'", "'http://www.w3.org/2000/xmlns'", "'http://www.w3.org/XML/1998/namespaces'", "'http://www.w3.org/XML/1998/namespace'", "''", "'http://www.w3.org/2000/xmlns/'")
		return
	case 1:
		g.add("xml:lang", "xml:lang", "xml:base", "p:a", "q:a", "stream:a", "xml:langu")
	default:
		g.b = append(g.b, g.name()...)
	}
	g.add("=", "=", "=", "=", "=", " =", "= ", "\n=\n")
	quote := g.of("'", "\"")
	g.b = append(g.b, quote...)
	g.chars(map[string]string{"'": "\"", "\"": "'"}[quote])
	g.b = append(g.b, quote...)
}

// chars writes what values and text both may have, and also what is in more.
func (g *shaper) chars(more ...string) {
	for range g.pick(4) {
		g.b = append(g.b, strings.Repeat(g.of("v", " ", "ü", "д", "中", "😀"), g.length())...)
		g.add(append([]string{"", "&amp;", "&#9;", "&#x10FFFF;", "&lt;", ">", "\t", "\r\n", "\r", "]", "/>", "=", "д ", "中д", "\u0080", "\ufffd"}, more...)...)
	}
}

func (g *shaper) text() {
	if g.pick(5) == 0 {
		g.b = append(g.b, "<![CDATA["...)
		g.chars("<", "&", "]]", "</a>")
		g.b = append(g.b, "]]>"...)
		return
	}
	g.chars("\n", "]]", "] ]>", "]]>", "'", "\"")
}

// fault changes a byte or some.
func (g *shaper) fault() {
	if len(g.b) == 0 {
		return
	}
	at := (g.pick(256)<<8 | g.pick(256)) % min(len(g.b), []int{80, 300, 1 << 16}[g.pick(3)])
	with := g.of("<", ">", "&", "'", "\"", "/", "=", " ", "]", "]]>", "\x00", "\x1f", "\x7f", "\x80", "\xc0\xaf", "\xc1\xbf", "\xc3\xc3", "\xc3é", "é\xbf", "\xef\xbf\xbf", "\xed\xa0\x80", ":", "?", "!", "x", "%", "&x;", "&#0;", "<a", "</a>", "xmlns=''", " a='' ", "")
	end := min(len(g.b), at+g.pick(3))
	g.b = append(g.b[:at:at], append([]byte(with), g.b[end:]...)...)
}

// TestShaped is FuzzFeed with stanzas of random strings.
func TestShaped(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	n := 8000
	if testing.Short() {
		n /= 10
	}
	for range n {
		checkFeed(t, shaped(shapedSeed(r)), r.IntN(1<<16))
	}
}

func shapedSeed(r *rand.Rand) []byte {
	b := make([]byte, 20+r.IntN(300))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestShapedIsMostlyWellFormed keeps the shapes useful.
func TestShapedIsMostlyWellFormed(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	ok := 0
	for range 1000 {
		c := newSession(true)
		if c.feed(shaped(shapedSeed(r))) == nil && !c.s.Partial() {
			ok++
		}
	}
	if ok < 200 || ok > 800 {
		t.Errorf("%d of 1000 stanzas are well-formed", ok)
	}
}

// shapes gives add strings to shape.
func shapes(add func([]byte)) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 100 {
		add(shapedSeed(r))
	}
}
