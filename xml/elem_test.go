package xml

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, in string) Elem {
	t.Helper()
	e, err := new(Doc).Parse([]byte(in), nsClient)
	if err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	return e
}

func TestViews(t *testing.T) {
	e := parse(t, "<message to='a&amp;b' id='' xml:lang='en' xmlns:p='urn:p' p:to='c'>x<body> &#233;<![CDATA[<]]>\r\n</body>\n<p:q/><x xmlns='urn:x'><body/></x> y</message>")
	for _, x := range []struct{ name, got, want string }{
		{"Local", string(e.Local()), "message"},
		{"Space", string(e.Space()), nsClient},
		{"Attr to", string(e.Attr("to")), "a&b"},
		{"AttrNS to", string(e.AttrNS("to", "urn:p")), "c"},
		{"Lang", string(e.Lang()), "en"},
		{"Text", string(e.Text()), "x\n y"},
		{"Text again", string(e.Text()), "x\n y"},
		{"body", string(e.Child("body", nsClient).Text()), " é<\n"},
		{"q", string(e.Child("q", "urn:p").Raw()), "<p:q/>"},
		{"x/body", string(e.Child("x", "urn:x").Child("body", "urn:x").Raw()), "<body/>"},
		{"First", string(e.First().Local()), "body"},
		{"Next", string(e.First().Next().Next().Local()), "x"},
	} {
		if x.got != x.want {
			t.Errorf("%s: %q, want %q", x.name, x.got, x.want)
		}
	}
	if v := e.Attr("id"); v == nil || len(v) != 0 {
		t.Errorf("empty attribute: %#v, want empty and not nil", v)
	}
	if e.Attr("no") != nil || e.Attr("lang") != nil || e.AttrNS("id", "urn:p") != nil {
		t.Error("found an attribute that is not there")
	}
	if e.First().Next().Next().Next().OK() || e.Child("body", "urn:x").OK() || e.Next().OK() {
		t.Error("found an element that is not there")
	}
	if !e.HasText() || e.Child("x", "urn:x").HasText() || parse(t, "<a> \n<b>x</b>&#9;</a>").HasText() {
		t.Error("HasText is wrong")
	}
	n := 0
	e.Attrs(func(_, _, _ []byte) bool { n++; return true })
	if n != 4 {
		t.Errorf("Attrs: %d, want 4", n)
	}
}

func TestNoElementAnswersNothing(t *testing.T) {
	var e Elem
	out := []byte("x")
	if e.OK() || e.Local() != nil || e.Space() != nil || e.Is("", "") || e.Attr("a") != nil || e.AttrNS("a", "b") != nil ||
		e.Lang() != nil || e.Default() != nil || e.Child("a", "").OK() || e.First().OK() || e.Next().OK() || e.Text() != nil ||
		e.HasText() || e.Raw() != nil || len(e.AppendTo(out, "")) != 1 || len(e.AppendInner(out, "")) != 1 ||
		len(e.AppendEdited(out, "", &Edit{})) != 1 {
		t.Error("the zero Elem answered something")
	}
	e.Attrs(func(_, _, _ []byte) bool {
		t.Error("the zero Elem has an attribute")
		return true
	})
}

func TestDocReadsExactlyOne(t *testing.T) {
	for _, in := range []string{"", " ", "x", "<a>", "<a/><b/>", "<a/> ", " <a/>", "<a/", "</a>", "<!-- -->", "<a><b></a>"} {
		if e, err := new(Doc).Parse([]byte(in), ""); err == nil || e.OK() {
			t.Errorf("%q passed", in)
		}
	}
	var d Doc
	for _, space := range []string{"", "urn:a", "urn:b", ""} {
		if e, err := d.Parse([]byte("<a/>"), space); err != nil || !e.Is("a", space) {
			t.Errorf("in %q: %v, %q", space, err, e.Space())
		}
	}
}

func TestBuilder(t *testing.T) {
	var b Builder
	b.Reset(nil, nsClient).Start("iq", nsClient).Attr("to", "a'b\"<>&\t\n\rö\x01\xff").OptAttr("id", "").AttrBytes("x", nil).AttrInt("n", -7).
		Start("query", "urn:q").Start("item", "urn:q").End().Start("y", "").Text("a'b\"<>&\t\n\rö\x01\xff]]>").End().End().
		Start("z", "").Text("").TextBytes(nil).Raw(nil).End().
		Elem(parse(t, "<m xmlns='urn:m'/>")).Elem(Elem{}).
		End()
	want := "<iq to='a&apos;b&quot;&lt;&gt;&amp;&#9;&#10;&#13;ö\uFFFD\uFFFD' x='' n='-7'>" +
		"<query xmlns='urn:q'><item/><y>a'b\"&lt;&gt;&amp;\t\n&#13;ö\uFFFD\uFFFD]]&gt;</y></query><z/><m xmlns='urn:m'/></iq>"
	if got := string(b.Bytes()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	e := parse(t, want)
	if got := string(e.Attr("to")); got != "a'b\"<>&\t\n\rö\uFFFD\uFFFD" {
		t.Errorf("came back as %q", got)
	}
	if got := string(e.First().First().Next().Text()); got != "a'b\"<>&\t\n\rö\uFFFD\uFFFD]]>" {
		t.Errorf("came back as %q", got)
	}
}

func TestBuilderGoesDeep(t *testing.T) {
	var b Builder
	b.Reset(nil, "")
	for i := range 100 {
		b.Start(fmt.Sprint("e", i), fmt.Sprint("urn:", i/2))
	}
	for range 100 {
		b.End()
	}
	e := parse(t, string(b.Bytes()))
	for i := range 100 {
		if !e.Is(fmt.Sprint("e", i), fmt.Sprint("urn:", i/2)) {
			t.Fatalf("level %d is %s in %s", i, e.Local(), e.Space())
		}
		e = e.First()
	}
}

func TestBuilderPanicsOnOurBugs(t *testing.T) {
	for name, f := range map[string]func(*Builder){
		"no name":                 func(b *Builder) { b.Start("", "urn:x") },
		"attribute after content": func(b *Builder) { b.Start("a", "").Text("x").Attr("b", "c") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f(new(Builder).Reset(nil, ""))
		}()
	}
}

// FuzzEscape writes any bytes and reads them back.
func FuzzEscape(f *testing.F) {
	f.Add("a<b>&'\"\r\n\t\x00\xff]]>\uFFFE\uD7FF")
	f.Fuzz(func(t *testing.T, s string) {
		in := new(Builder).Reset(nil, "").Start("a", "").Attr("b", s).Text(s).End().Bytes()
		e := parse(t, string(in))
		want := strings.ToValidUTF8(s, "\uFFFD")
		if string(e.Attr("b")) != string(e.Text()) || len(s) > 0 && len(e.Text()) == 0 {
			t.Fatalf("%q came back as %q and %q", s, e.Attr("b"), e.Text())
		}
		if clean(want) == s && string(e.Text()) != s {
			t.Fatalf("%q came back as %q", s, e.Text())
		}
	})
}

// clean replaces what XML can't hold.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if !isChar(uint32(r)) {
			return '\uFFFD'
		}
		return r
	}, s)
}

func TestEightBytesArePlain(t *testing.T) {
	for at := range 8 {
		for c := range 256 {
			b := []byte("abcdefgh")
			b[at] = byte(c)
			if got, want := allPlain(load8(b)), class[c]&isPlainAttr != 0; got != want {
				t.Errorf("byte %#x at %d: %v", c, at, got)
			}
		}
	}
}

// A deferred element is the same one, whichever method looks first.
func TestDeferIsParse(t *testing.T) {
	const in = "<message to='a' xml:lang='en'>x<body>b</body></message>"
	want := parse(t, in)
	for name, fn := range map[string]func(Elem) string{
		"Local": func(e Elem) string { return string(e.Local()) }, "Space": func(e Elem) string { return string(e.Space()) },
		"Is": func(e Elem) string { return fmt.Sprint(e.Is("message", nsClient)) }, "Attr": func(e Elem) string { return string(e.Attr("to")) },
		"Lang": func(e Elem) string { return string(e.Lang()) }, "Default": func(e Elem) string { return fmt.Sprint(e.Default()) },
		"First": func(e Elem) string { return string(e.First().Raw()) }, "Next": func(e Elem) string { return fmt.Sprint(e.Next().OK()) },
		"Child": func(e Elem) string { return string(e.Child("body", nsClient).Text()) }, "Text": func(e Elem) string { return string(e.Text()) },
		"HasText": func(e Elem) string { return fmt.Sprint(e.HasText()) }, "Raw": func(e Elem) string { return string(e.Raw()) },
		"AppendTo": func(e Elem) string { return string(e.AppendTo(nil, "urn:x")) }, "AppendInner": func(e Elem) string { return string(e.AppendInner(nil, "urn:x")) },
		"AppendEdited": func(e Elem) string { return string(e.AppendEdited(nil, nsClient, &Edit{From: []byte("f")})) },
		"Address":      func(e Elem) string { return fmt.Sprint(e.Address()) },
	} {
		var d Doc
		if got, want := fn(d.Defer([]byte(in), nsClient)), fn(want); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// An edit that says it is fresh writes what means the same as one that does not.
func TestFreshEdits(t *testing.T) {
	for _, in := range []string{
		"<message to='b' id='1'><body/></message>", "<message/>", "<message xmlns='jabber:client' to='b'>t</message>",
		"<message xmlns:p='urn:p' to='b'><p:x/></message>", "<message xmlns:p='urn:p' p:to='b'><body xmlns='urn:y'/></message>",
	} {
		for _, space := range []string{nsClient, "jabber:server", "urn:ws"} {
			ed := Edit{From: []byte("f'&"), Lang: []byte("en"), Tail: []byte("<t/>"), Skip: func(c Elem) bool { return c.Is("body", nsClient) }}
			plain := parse(t, in).AppendEdited(nil, space, &ed)
			ed.Fresh = true
			fresh := parse(t, in).AppendEdited(nil, space, &ed)
			if a, b := sorted(t, plain, space), sorted(t, fresh, space); a != b {
				t.Errorf("%s in %s:\n%s\n%s", in, space, plain, fresh)
			}
		}
	}
}

// sorted is canon of what was written for space, with the attributes of the
// start-tag in the order of their names.
func sorted(t *testing.T, in []byte, space string) string {
	t.Helper()
	e, err := new(Doc).Parse(in, space)
	if err != nil {
		t.Fatalf("%s: %v", in, err)
	}
	var attrs []string
	e.Attrs(func(space, local, value []byte) bool {
		attrs = append(attrs, fmt.Sprintf("{%s}%s=%q", space, local, value))
		return true
	})
	slices.Sort(attrs)
	content := ""
	for c := e.First(); c.OK(); c = c.Next() {
		content += canon(c)
	}
	return fmt.Sprintf("{%s}%s %q %q %s", e.Space(), e.Local(), attrs, e.Text(), content)
}
