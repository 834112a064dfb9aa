package xml

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// testHeaders are streams that a forwarded stanza may come from. The last is none.
var testHeaders = []string{
	testHeader,
	"<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' version='1.0'>",
	"<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns:c='jabber:client' xmlns:p='urn:p&apos;q' xmlns='urn:other' version='1.0'>",
	"",
}

var testTargets = []string{nsClient, nsServer, "", "urn:xmpp:forward:0"}

// readIn parses in as a stanza of the stream with that header.
func readIn(header string, in []byte) (Elem, bool) {
	p, s := NewParser(), new(State)
	if header == "" {
		s.Framed()
	} else if k, _, _, err := p.Next(s, []byte(header), &testLimits); k != Header || err != nil {
		panic(err)
	}
	k, e, n, _ := p.Next(s, in, &testLimits)
	return e, k == Element && n == len(in)
}

// reread parses what was written where the default namespace is space.
func reread(t *testing.T, out []byte, space, of string) Elem {
	e, err := new(Doc).Parse(out, space)
	if err != nil {
		t.Fatalf("%v: wrote %q for %q in %q", err, out, of, space)
	}
	return e
}

// model writes the events that e has when forwarded to a stream whose
// content namespace is target: as quoted does, but with elements of which moved
// answers true in target.
func model(e Elem, target string, moved func(ns uint32) bool) string {
	was := quoted(e)
	lines := strings.SplitAfter(was, "\n")
	var starts []int // lines of start-tags, in order of the tape
	for i, l := range lines {
		if strings.HasPrefix(l, "S{") {
			starts = append(starts, i)
		}
	}
	n := 0
	for j := e.i; j < e.end(); j++ {
		if x := e.t.tape[j]; x.kind() == kindStart {
			if moved(x.ns()) {
				lines[starts[n]] = "S{" + strconv.Quote(target) + "}" + string(e.t.local(x)) + "\n"
			}
			n++
		}
	}
	return strings.Join(lines, "")
}

// checkForward forwards e in every way and compares what arrives.
func checkForward(t *testing.T, e Elem, source string) {
	if !e.OK() {
		return
	}
	for _, space := range testTargets {
		if got, want := quoted(reread(t, e.AppendTo(nil, space), space, source)), quoted(e); got != want {
			t.Fatalf("AppendTo(%q) of %q: %q means\n%s\nwant\n%s", space, source, e.AppendTo(nil, space), got, want)
		}
		inner := slices.Concat([]byte("<w>"), e.AppendInner(nil, space), []byte("</w>"))
		got, want := content(quoted(reread(t, inner, space, source))), content(quoted(e))
		if got != want {
			t.Fatalf("AppendInner(%q) of %q: %q means\n%s\nwant\n%s", space, source, inner, got, want)
		}
		checkEdited(t, e, space, source)
	}
}

// content is what is between the root's start-tag with its attributes and its end-tag.
func content(canon string) string {
	lines := strings.SplitAfter(canon, "\n")
	i := 1
	for strings.HasPrefix(lines[i], "A{") {
		i++
	}
	return strings.Join(lines[i:], "")
}

func checkEdited(t *testing.T, e Elem, space, source string) {
	x := e.t.tape[e.i]
	moved := func(uint32) bool { return false }
	target := space
	if isContent(e.Space()) {
		if !isContent(space) {
			target = nsClient
		}
		outer := e.t.defaultAt(e.i)
		moved = func(ns uint32) bool {
			return ns == x.ns() || x.b&flagPrefix != 0 && ns == outer && string(e.t.uri(ns)) == string(e.Space())
		}
	}
	out := e.AppendEdited(nil, space, &Edit{})
	want := model(e, target, moved)
	if got := quoted(reread(t, out, space, source)); got != want {
		t.Fatalf("AppendEdited(%q) of %q: %q means\n%s\nwant\n%s", space, source, out, got, want)
	}
	ed := &Edit{
		To: []byte("a'b<c>&\"d@é"), From: []byte("f"), ID: []byte{}, Lang: []byte("x"),
		Skip: func(c Elem) bool { return len(c.Local())%2 == 0 },
		Tail: []byte("<tail xmlns='urn:tail'/>"),
	}
	got := reread(t, e.AppendEdited(nil, space, ed), space, source)
	checkEdits(t, e, got, ed)
}

// checkEdits compares got with e as edited by ed.
func checkEdits(t *testing.T, e, got Elem, ed *Edit) {
	if string(got.Attr("to")) != string(ed.To) || string(got.Attr("from")) != string(ed.From) ||
		string(got.Lang()) != string(ed.Lang) || got.Attr("id") != nil {
		t.Fatalf("edited %q: %q", e.Raw(), got.Raw())
	}
	if string(got.Attr("type")) != string(e.Attr("type")) || (got.Attr("type") == nil) != (e.Attr("type") == nil) {
		t.Fatalf("edited %q: type is %q", e.Raw(), got.Attr("type"))
	}
	var want, have []string
	for c := e.First(); c.OK(); c = c.Next() {
		if !ed.Skip(c) {
			want = append(want, string(c.Local()))
		}
	}
	for c := got.First(); c.OK(); c = c.Next() {
		have = append(have, string(c.Local()))
	}
	if want = append(want, "tail"); !slices.Equal(want, have) {
		t.Fatalf("edited %q: children %q, want %q", e.Raw(), have, want)
	}
	if string(got.Text()) != string(e.Text()) {
		t.Fatalf("edited %q: text %q, want %q", e.Raw(), got.Text(), e.Text())
	}
}

// forwardable are stanzas that use what surrounds them.
var forwardable = []string{
	"<message/>",
	"<message to='a' from=\"b\" id = 'c'  type='d' xml:lang='e'/>",
	"<message xmlns='jabber:client' to='a'><body>x</body><a xmlns='jabber:client'/></message>",
	"<message xmlns='jabber:server' ><body/><x xmlns='urn:x'><y/></x></message>",
	"<c:message xmlns:c='jabber:client'><c:body/><body/><c:x c:y='1' z='2' xml:lang='q'/></c:message>",
	"<message><stream:x stream:y='1'><stream:z/></stream:x><db:w/></message>",
	"<stream:features><a/></stream:features>",
	"<db:result to='x'>key</db:result>",
	"<message><x xmlns:stream='urn:s'><stream:y/></x><stream:y/></message>",
	"<message xmlns=''><a/></message>",
	"<q:iq xmlns:q='urn:q'><a/><b xmlns='urn:b'><c/></b></q:iq>",
	"<p:iq p:a='1'><p:b/>&lt;<![CDATA[<&]]>\n</p:iq>",
	"<c:iq from='x'><c:b><p:x/></c:b><d/></c:iq>",
	"<m\n to\n=\n'a'\n>t<b/>u<cc/>v</m\n>",
}

func TestForwardedMeansTheSame(t *testing.T) {
	n := 0
	for _, header := range testHeaders {
		for _, in := range append(exampleXML(t), forwardable...) {
			e, ok := readIn(header, []byte(in))
			if !ok {
				continue
			}
			n++
			checkForward(t, e, in)
			checkForward(t, e.First(), in)
			checkForward(t, e.First().Next(), in)
		}
	}
	if n < 60 {
		t.Fatalf("%d stanzas, want more", n)
	}
}

func exampleXML(t testing.TB) (all []string) {
	for _, x := range examples(t) {
		all = append(all, x.XML)
	}
	return all
}

// TestShapedForwarded is FuzzForward with stanzas of random strings.
func TestShapedForwarded(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	n := 0
	for i := range 4000 {
		in := shaped(shapedSeed(r))
		if e, ok := readIn(testHeaders[i%len(testHeaders)], in); ok {
			n++
			checkForward(t, e, string(in))
			checkForward(t, e.First(), string(in))
		}
	}
	if n < 500 {
		t.Errorf("%d stanzas forwarded, want more", n)
	}
}

// asShape8 is the bit of the header's number that makes FuzzForward shape a
// stanza of its data.
const asShape8 = 1 << 7

// FuzzForward forwards what parses.
func FuzzForward(f *testing.F) {
	for i := range testHeaders {
		for _, in := range append(exampleXML(f), forwardable...) {
			f.Add([]byte(in), uint8(i))
		}
	}
	shapes(func(b []byte) { f.Add(b, asShape8|b[0]) })
	f.Fuzz(func(t *testing.T, in []byte, header uint8) {
		if header&asShape8 != 0 {
			in = shaped(in)
		}
		if e, ok := readIn(testHeaders[int(header)%len(testHeaders)], in); ok {
			checkForward(t, e, string(in))
			checkForward(t, e.First(), string(in))
		}
	})
}

func TestForwardBytes(t *testing.T) {
	for _, x := range []struct {
		in, space string
		ed        Edit
		want      string
	}{
		{"<message to='a' from='b'><body/></message>", nsServer, Edit{To: []byte("c"), From: []byte("d")}, "<message to='c' from='d'><body/></message>"},
		{"<message to='a'><body/></message>", nsClient, Edit{From: []byte("d'")}, "<message to='a' from='d&apos;'><body/></message>"},
		{"<message to='a'/>", "", Edit{}, "<message to='a' xmlns='jabber:client'/>"},
		{"<message xmlns='jabber:client' to='a'/>", nsServer, Edit{To: []byte{}}, "<message/>"},
		{"<message to='a'/>", nsClient, Edit{Tail: []byte("<x/>")}, "<message to='a'><x/></message>"},
		{"<message><a/><b/><a/></message>", nsClient, Edit{Skip: func(c Elem) bool { return c.Is("a", nsClient) }}, "<message><b/></message>"},
		{"<message><stream:x/></message>", nsClient, Edit{}, "<message xmlns:stream='http://etherx.jabber.org/streams'><stream:x/></message>"},
		{"<message to='a'/>", nsClient, Edit{Lang: []byte("de")}, "<message to='a' xml:lang='de'/>"},
	} {
		e, ok := readIn(testHeader, []byte(x.in))
		if !ok {
			t.Fatal(x.in)
		}
		if got := string(e.AppendEdited(nil, x.space, &x.ed)); got != x.want {
			t.Errorf("%s for %q:\n got %s\nwant %s", x.in, x.space, got, x.want)
		}
	}
}
