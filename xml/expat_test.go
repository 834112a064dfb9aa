//go:build expat

package xml

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"meerkat/xml/internal/expat"
)

// expatElements turns libexpat's events into what canon writes for each
// complete element inside the stream.
func expatElements(log []byte) (all []string) {
	var b strings.Builder
	var attrs [][2]string
	depth, text := 0, ""
	name := func(s string) string {
		if ns, local, ok := strings.Cut(s, "\x01"); ok {
			return "{" + ns + "}" + local
		}
		return "{}" + s
	}
	flush := func() {
		sort.Slice(attrs, func(i, j int) bool {
			return attrs[i][0] < attrs[j][0] || attrs[i][0] == attrs[j][0] && attrs[i][1] < attrs[j][1]
		})
		for _, a := range attrs {
			b.WriteString("A" + a[0] + "=" + a[1] + "\n")
		}
		if text != "" && depth > 1 {
			b.WriteString("T" + text + "\n")
		}
		attrs, text = nil, ""
	}
	for len(log) > 0 {
		kind, rest := log[0], log[1:]
		i := bytes.IndexByte(rest, 0)
		s := string(rest[:i])
		log = rest[i+1:]
		switch kind {
		case 'S':
			flush()
			if depth++; depth > 1 {
				b.WriteString("S" + name(s) + "\n")
			}
		case 'A':
			attrs = append(attrs, [2]string{name(s), ""})
		case 'V':
			attrs[len(attrs)-1][1] = s
		case 'T':
			if len(attrs) > 0 {
				flush()
			}
			text += s
		case 'E':
			flush()
			if depth > 1 {
				b.WriteString("E\n")
			}
			if depth--; depth == 1 {
				all = append(all, b.String())
			}
			if depth <= 1 {
				b.Reset()
			}
		}
		if depth == 1 && kind != 'E' { // the stream header's own attributes
			b.Reset()
			if kind == 'V' {
				attrs = nil
			}
		}
	}
	return all
}

// compareExpat feeds data, inside testHeader's stream, to both. It tells whether
// both took it, and so the events were compared.
func compareExpat(t *testing.T, data []byte) bool {
	c := newSession(true)
	c.lim = &Limits{Bytes: 1 << 20, Header: 4096, Depth: 1000, Attrs: 1000, Elems: 1 << 20}
	err := c.feed(data)
	x := expat.New(true)
	defer x.Close()
	code := x.Feed([]byte(testHeader), 1<<20)
	if code == 0 {
		code = x.Feed(data, 1<<20)
	}
	switch err {
	case Restricted, BadFormat, Reopened, BadEncoding, TooBig, TooDeep, TooManyAttrs, TooManyElems:
		return false // XMPP's own rules, which libexpat does not know
	case nil:
		if code != 0 && !c.s.Partial() && !bytes.ContainsFunc(data, func(r rune) bool { return r >= 0x80 }) {
			t.Fatalf("libexpat: error %d, passed here: %q", code, data)
		}
	default:
		if code == 0 && !x.Restricted() && !x.InToken() {
			t.Fatalf("%v, but libexpat takes it: %q", err, data)
		}
	}
	if code != 0 || x.Restricted() {
		return false // names of XML 1.0, 4th edition; or a fault in what is not whole
	}
	if got, want := c.got, expatElements(x.Events()); !slices.Equal(got, want) {
		t.Fatalf("%q:\n%s\nlibexpat:\n%s", data, got, want)
	}
	return len(c.got) > 0
}

func TestCorpusAgreesWithExpat(t *testing.T) {
	for _, c := range malformedCases(t) {
		if c.Ctx == "stanza" {
			compareExpat(t, c.bytes)
		}
	}
	for _, x := range examples(t) {
		compareExpat(t, []byte(x.XML))
	}
	mix, ends := makeMix(1e6, 3)
	from := 0
	for _, end := range ends {
		if !compareExpat(t, mix[from:end]) {
			t.Fatalf("not compared: %q", mix[from:end])
		}
		from = end
	}
}

// TestShapedAgreesWithExpat is FuzzExpat with stanzas of random strings.
func TestShapedAgreesWithExpat(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	n := 0
	for range 20_000 {
		if compareExpat(t, shaped(shapedSeed(r))) {
			n++
		}
	}
	if n < 4000 {
		t.Errorf("%d stanzas compared, want more", n)
	}
}

// FuzzExpat compares verdicts and events with libexpat's.
func FuzzExpat(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	shapes(func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, data []byte) {
		compareExpat(t, data)
		compareExpat(t, shaped(data))
	})
}
