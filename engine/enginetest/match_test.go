package enginetest

import (
	"strings"
	"testing"
)

// The player must not find alike what is not: a transcript that cannot fail
// proves nothing.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		want, got string
		match     bool
	}{
		{"<a/>", "<a></a>", true},
		{"<a x='1' y='2'/>", `<a y="2" x="1"/>`, true},
		{"<p:a xmlns:p='u'/>", "<a xmlns='u'/>", true},
		{"<a>\n<b/>\n</a>", "<a><b/></a>", true},
		{"<a>&lt;</a>", "<a><![CDATA[<]]></a>", true},
		{"<a/>", "<b/>", false},
		{"<a/>", "<a xmlns='u'/>", false},
		{"<a/>", "<a x=''/>", false},
		{"<a x=''/>", "<a/>", false},
		{"<a x='1'/>", "<a x='2'/>", false},
		{"<a><b/></a>", "<a><b/><b/></a>", false},
		{"<a><b/><c/></a>", "<a><c/><b/></a>", false},
		{"<a><b/></a>", "<a/>", false},
		{"<a>x</a>", "<a>y</a>", false},
		{"<a/>", "<a>x</a>", false},
		{"<a><...></a>", "<a>x<b/></a>", true},
		{"<a><b/><...></a>", "<a><b/></a>", true},
		{"<a><b/><...></a>", "<a><c/></a>", false},
		{"<a x='1' .../>", "<a x='1' y='2'/>", true},
		{"<a x='1' .../>", "<a y='2'/>", false},
		{"<a id='{}'/>", "<a id='7'/>", true},
		{"<a id='{}'/>", "<a/>", false},
		{"<a id='x{}z'/>", "<a id='xyz'/>", true},
		{"<a id='x{}z'/>", "<a id='xyy'/>", false},
		{"<a id='{i}'><b id='{i}'/></a>", "<a id='7'><b id='7'/></a>", true},
		{"<a id='{i}'><b id='{i}'/></a>", "<a id='7'><b id='8'/></a>", false},
		{"<a id='{known}'/>", "<a id='yes'/>", true},
		{"<a id='{known}'/>", "<a id='no'/>", false},
	} {
		want, err := patterns(c.want)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := next(c.got)
		if err != nil {
			t.Fatal(err)
		}
		if m := (vars{"known": "yes"}).match(want[0], got); m != c.match {
			t.Errorf("want %s, got %s: match %v, want %v", c.want, c.got, m, c.match)
		}
	}
}

func TestFailedMatchNamesNothing(t *testing.T) {
	want, err := patterns("<a x='{x}' y='2'/>")
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := next("<a x='1' y='3'/>")
	if err != nil {
		t.Fatal(err)
	}
	v := vars{}
	if v.match(want[0], got) || len(v) != 0 {
		t.Errorf("after a failed match the names are %v, want none", v)
	}
}

func TestNextAwaitsTheWholeElement(t *testing.T) {
	const text = " <message to='a&gt;b'><body>x</body></message><presence/>"
	const first = len(" <message to='a&gt;b'><body>x</body></message>")
	for i := range len(text) {
		n, size, err := next(text[:i])
		switch {
		case i < first && err != errMore:
			t.Errorf("%q: got %v, want errMore", text[:i], err)
		case i >= first && (err != nil || size != first || !strings.HasSuffix(n.name, "}message")):
			t.Errorf("%q: got %s, %d, %v", text[:i], n, size, err)
		}
	}
}

func TestScript(t *testing.T) {
	steps, err := parse("x", "# no step\nraw c1\nc1 sends\n\t<a>\n\t\t<b/>\n\n\t</a>\nc1 sends  a\\n{xy*3}\n")
	if err != nil || len(steps) != 3 {
		t.Fatalf("got %v, %v; want 3 steps", steps, err)
	}
	if got, want := steps[1].body, "<a>\n<b/>\n</a>"; got != want {
		t.Errorf("body: got %q, want %q", got, want)
	}
	if got, err := unescape(steps[2].after(2)); err != nil || got != "a\nxyxyxy" {
		t.Errorf("text: got %q, %v", got, err)
	}
	if _, err := parse("x", "\tfirst\n"); err == nil {
		t.Error("a body without a step is no error")
	}
}
