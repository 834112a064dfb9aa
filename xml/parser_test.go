package xml

import (
	"strings"
	"testing"
	"time"
	"unsafe"
)

func TestStateIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(State{}); n != 16 {
		t.Errorf("a State has %d bytes, want 16", n)
	}
}

// next calls Next and fails if the kind is another.
func next(t *testing.T, p *Parser, s *State, in string, want Kind) (Elem, int) {
	t.Helper()
	k, e, n, err := p.Next(s, []byte(in), &testLimits)
	if err != nil || k != want {
		t.Fatalf("%q: kind %d, %v, want %d", in, k, err, want)
	}
	return e, n
}

func TestHeaderSaysWhatItDeclares(t *testing.T) {
	p, s := NewParser(), new(State)
	in := "<?xml version='1.0' encoding='utf-8'?>\n<stream:stream to='example.com' from=\"a@b\" version='1.0' xml:lang='de' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><iq/>"
	e, n := next(t, p, s, in, Header)
	if !e.Is("stream", nsStream) || string(e.Attr("to")) != "example.com" || string(e.Attr("from")) != "a@b" ||
		string(e.Attr("version")) != "1.0" || string(e.Lang()) != "de" || string(e.Default()) != nsClient {
		t.Errorf("header: %s", canon(e))
	}
	if in[n:] != "<iq/>" {
		t.Errorf("used %q", in[:n])
	}
	if e, _ = next(t, p, s, in[n:], Element); !e.Is("iq", nsClient) {
		t.Errorf("got %s", canon(e))
	}
}

func TestNextStopsAfterEachEvent(t *testing.T) {
	p, s := NewParser(), new(State)
	next(t, p, s, testHeader, Header)
	in := " <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><injected/>"
	_, n := next(t, p, s, in, Element)
	if in[n:] != "<injected/>" {
		t.Errorf("used %q", in[:n])
	}
	s.Restart()
	if _, _, _, err := p.Next(s, []byte("<iq"), &testLimits); err != nil || !s.Partial() {
		t.Errorf("after Restart: %v", err)
	}
	p.Drop(s)
	next(t, p, s, "<s:stream xmlns:s='http://etherx.jabber.org/streams' xmlns='jabber:server'>", Header)
	if e, _ := next(t, p, s, "<iq/>", Element); !e.Is("iq", nsServer) {
		t.Errorf("after Restart: %s", canon(e))
	}
	next(t, p, s, "</s:stream>", End)
	next(t, p, s, " \n", None)
	if _, _, _, err := p.Next(s, []byte("<a/>"), &testLimits); err != NotWellFormed {
		t.Errorf("after the end: %v", err)
	}
}

func TestSpaceBeforeTheFirstHeaderRulesOutADeclaration(t *testing.T) {
	p, s := NewParser(), new(State)
	next(t, p, s, "\n", None)
	if _, _, _, err := p.Next(s, []byte("<?xml version='1.0'?>"), &testLimits); err != NotWellFormed {
		t.Errorf("first: %v", err)
	}
	for _, in := range []string{"\n<?xml version='1.0'?>" + testHeader, "<?xml version='1.0'?>" + testHeader, "\n" + testHeader} {
		*s = State{}
		s.Restart()
		next(t, p, s, "\n", None)
		next(t, p, s, in, Header)
	}
}

func TestDeclarationElsewhereIsNotWellFormed(t *testing.T) {
	const decl, other = "<?xml version='1.0'?>", "<?xml-stylesheet href='x'?>"
	framed := func(c *session) { c.s.Framed() }
	for _, x := range []struct {
		before string
		set    func(*session)
	}{
		{"\n", nil}, {"<?xml version='1.0'?>", nil}, {testHeader, nil}, {testHeader + "<a/> ", nil},
		{testHeader + "<a>", nil}, {testHeader + "<a>" + strings.Repeat("x", 100), nil}, {"", framed}, {"<a>", framed},
	} {
		for in, want := range map[string]Error{decl: NotWellFormed, "<?xml\t": NotWellFormed, other: Restricted, "<?xm ": Restricted, "<?php": Restricted} {
			in := x.before + in
			splits([]byte(in), func(how string, parts [][]byte) {
				c := newSession(false)
				if x.set != nil {
					x.set(c)
				}
				var err error
				for _, b := range parts {
					if err = c.feed(b); err != nil {
						break
					}
				}
				if err != want {
					t.Errorf("%q, %s: %v, want %v", in, how, err, want)
				}
			})
		}
	}
}

func TestFramedHasNoSurroundings(t *testing.T) {
	p, s := NewParser(), new(State)
	s.Framed()
	if e, _ := next(t, p, s, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a'/>", Element); !e.Is("open", "urn:ietf:params:xml:ns:xmpp-framing") {
		t.Errorf("got %s", canon(e))
	}
	if e, _ := next(t, p, s, "<iq/>", Element); !e.Is("iq", "") {
		t.Errorf("got %s", canon(e))
	}
	next(t, p, s, "<iq xmlns='jabber:client'", None)
	if e, _ := next(t, p, s, "/>", Element); !e.Is("iq", nsClient) {
		t.Errorf("got %s", canon(e))
	}
	for _, in := range []string{"<stream:stream/>", "</a>", "x"} {
		f := *s
		if _, _, _, err := p.Next(&f, []byte(in), &testLimits); err == nil {
			t.Errorf("%q passed", in)
		}
	}
}

func TestSecondHeaderIsRefused(t *testing.T) {
	for _, in := range []string{testHeader, "<stream:stream/>", "<stream:stream to='x'>"} {
		splits([]byte(in), func(how string, parts [][]byte) {
			c := newSession(true)
			var err error
			for _, b := range parts {
				if err = c.feed(b); err != nil {
					break
				}
			}
			if err != Reopened {
				t.Errorf("%q, %s: %v, want Reopened", in, how, err)
			}
		})
	}
}

// limitCases pass one limit each, in a stream whose limits are smallLimits.
var smallLimits = Limits{Bytes: 300, Header: 250, Depth: 4, Attrs: 3, Elems: 6}

func TestEachLimitHasItsError(t *testing.T) {
	for _, x := range []struct {
		ok, bad string
		want    Error
	}{
		{"<a>" + strings.Repeat("x", 293) + "</a>", "<a>" + strings.Repeat("x", 294) + "</a>", TooBig},
		{"<a><b><c><d/></c></b></a>", "<a><b><c><d><e/></d></c></b></a>", TooDeep},
		{"<a><b><c><d></d></c></b></a>", "<a><b><c><d><e></e></d></c></b></a>", TooDeep},
		{"<a b='' c='' d=''/>", "<a b='' c='' d='' e=''/>", TooManyAttrs},
		{"<a xmlns='u' xmlns:p='v' p:d=''/>", "<a xmlns='u' xmlns:p='v' p:d='' e=''/>", TooManyAttrs},
		{"<a><b/><b/><b/><b/><b/></a>", "<a><b/><b/><b/><b/><b/><b/></a>", TooManyElems},
		{"<a><b/><b/>x<b></b><b/><b/></a>", "<a><b/><b/>x<b></b><b/><b/><b></b></a>", TooManyElems},
	} {
		for _, in := range []string{x.ok, x.bad} {
			splits([]byte(in), func(how string, parts [][]byte) {
				c := newSession(true)
				c.lim = &smallLimits
				var err error
				for _, b := range parts {
					if err = c.feed(b); err != nil {
						break
					}
				}
				if in == x.ok && (err != nil || len(c.got) != 1) {
					t.Errorf("%q, %s: %v", in, how, err)
				}
				if in == x.bad && err != x.want {
					t.Errorf("%q, %s: %v, want %v", in, how, err, x.want)
				}
			})
		}
	}
}

func TestLimitsHoldWhileBytesArrive(t *testing.T) {
	for _, piece := range []string{"x", "<b>", "<b a='", "<![CDATA[", "'"} {
		c := newSession(true)
		c.lim = &smallLimits
		err := c.feed([]byte("<a c='"))
		if piece[0] == '<' || piece == "x" {
			c = newSession(true)
			c.lim = &smallLimits
			err = c.feed([]byte("<a>"))
		}
		fed := 0
		for err == nil && fed < 1000 {
			err = c.feed([]byte(piece))
			fed += len(piece)
		}
		if err == nil || fed > 310 {
			t.Errorf("%q again and again: %v after %d bytes", piece, err, fed)
		}
		if c.p.Held() != 0 {
			t.Errorf("%q: %d bytes held after an error", piece, c.p.Held())
		}
	}
}

func TestHeaderHasItsOwnLimit(t *testing.T) {
	for _, n := range []int{60, 600} {
		in := "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" + strings.Repeat("x", n) + "'>"
		splits([]byte(in), func(how string, parts [][]byte) {
			c := newSession(false)
			c.lim = &smallLimits
			var err error
			for _, b := range parts {
				if err = c.feed(b); err != nil {
					break
				}
			}
			if n == 60 && (err != nil || c.s.mode != modeStream) || n == 600 && err != TooBig {
				t.Errorf("%d bytes, %s: %v", len(in), how, err)
			}
		})
	}
}

func TestHeldBytesAreBounded(t *testing.T) {
	p := NewParser()
	p.MaxHeld = 64 << 10
	states := make([]State, 2000)
	refused := 0
	for i := range states {
		s := &states[i]
		next(t, p, s, testHeader, Header)
		if _, _, _, err := p.Next(s, []byte("<"), &testLimits); err == NoRoom {
			refused++
		}
		if i == 500 && p.Held() > 501*64 {
			t.Errorf("one byte of each of 501 streams takes %d bytes", p.Held())
		}
	}
	if refused == 0 || p.Held() > p.MaxHeld {
		t.Errorf("%d refused, %d bytes held", refused, p.Held())
	}
	for i := range states {
		p.Drop(&states[i])
	}
	if p.Held() != 0 {
		t.Errorf("%d bytes held after all streams were dropped", p.Held())
	}
}

func TestPooledMemoryIsBounded(t *testing.T) {
	var p parts
	states := make([]State, 100)
	for i := range states {
		p.add(&states[i], make([]byte, 200<<10))
	}
	for i := range states {
		p.drop(&states[i])
	}
	for i, pool := range p.pool {
		if n := len(pool) * 64 << (2 * i); n > maxPooled {
			t.Errorf("class %d keeps %d bytes", i, n)
		}
	}
}

func TestUnusualContextsAreBounded(t *testing.T) {
	defer func(list []*context, keys map[string]uint32) {
		contexts.list.Store(&list)
		contexts.keys = keys
	}(*contexts.list.Load(), contexts.keys)
	contexts.keys = map[string]uint32{}
	full := make([]*context, maxContexts-1)
	full[0] = frameless
	contexts.list.Store(&full)
	header := func(ns string) error {
		_, _, _, err := NewParser().Next(new(State), []byte("<s:stream xmlns:s='"+ns+"'>"), &testLimits)
		return err
	}
	if err := header("a"); err != nil {
		t.Error(err)
	}
	if err := header("b"); err != TooBig {
		t.Error(err, "want TooBig")
	}
	if err := header("a"); err != nil {
		t.Error("known one:", err)
	}
}

func TestWorkIsLinear(t *testing.T) {
	if testing.Short() {
		t.Skip()
	}
	for _, x := range []string{
		strings.Repeat("<a>", 60) + strings.Repeat("<b c=''/>", 9000),
		"<a " + strings.Repeat("bcd", 80_000) + "='",
		"<a b='" + strings.Repeat("&amp;", 50_000),
		"<a>" + strings.Repeat("]", 250_000),
		"<a>" + strings.Repeat("é", 125_000),
		"<a><![CDATA[" + strings.Repeat("]]", 120_000),
		"<a>" + strings.Repeat("<a"+attrs(250)+"/>", 80),
		"<a>" + strings.Repeat("<x:b/>", 20_000),
		"<?xml version='1.0'?><s:stream to='" + strings.Repeat(">", 250_000),
	} {
		for _, size := range []int{1, 100, 1 << 20} {
			c := newSession(x[1] != '?')
			c.lim = &Limits{Bytes: 1 << 19, Header: 1 << 19, Depth: 64, Attrs: 256, Elems: 1 << 20}
			from := time.Now()
			for i := 0; i < len(x); i += size {
				if c.feed([]byte(x[i:min(i+size, len(x))])) != nil {
					break
				}
			}
			if d := time.Since(from); d > 3*time.Second {
				t.Errorf("%.20q... of %d bytes in reads of %d: %v", x, len(x), size, d)
			}
		}
	}
}

func attrs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + strings.Repeat("b", i%7) + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "=''")
	}
	return b.String()
}

// readOnce reads in through Next in reads of size bytes.
func readOnce(p *Parser, s *State, in []byte, size int) (last error) {
	for len(in) > 0 && last == nil {
		b := in[:min(size, len(in))]
		in = in[len(b):]
		for len(b) > 0 && last == nil {
			_, _, n, err := p.Next(s, b, &smallLimits)
			b, last = b[n:], err
		}
	}
	return last
}

func TestNextDoesNotAllocate(t *testing.T) {
	p := NewParser()
	open := []byte(testHeader)
	for _, in := range []string{
		"<message to='a' from='b&amp;c'><body>x &lt; \r\n é</body><x xmlns='urn:x'/></message>",
		"<a xmlns:p='&#117;rn:p' p:x='1' p:y='2'><p:b c = 'd'/><![CDATA[x]]></a><c/> <r/>",
		"<a>" + strings.Repeat("x", 400), "<a><b><c><d><e>", "<a b='' c='' d='' e=''/>",
		"<a><b/><b/><b/><b/><b/><b/><b/></a>", "<a></b>", "<a><p:b/></a>", "<a>&x;</a>", "<!-- ", "x", "</stream:stream>x", testHeader,
	} {
		b := []byte(in)
		for _, size := range []int{1, 3, 50, 1000} {
			if n := testing.AllocsPerRun(20, func() {
				s := new(State)
				readOnce(p, s, open, size)
				readOnce(p, s, b, size)
				p.Drop(s)
			}); n != 0 {
				t.Errorf("%q in reads of %d: %v allocations", in, size, n)
			}
		}
	}
}

func TestReadingAndWritingDoesNotAllocate(t *testing.T) {
	p, d, b := NewParser(), new(Doc), new(Builder)
	in := []byte("<c:message xmlns:c='jabber:client' to='a&amp;b' xml:lang='x'><stream:x/>a<b/>c&lt;<body>hi</body></c:message>")
	plain := []byte("<message to='a' from='b'><body>hi</body><stream:x/></message>")
	ed := &Edit{To: []byte("x'y"), From: []byte("z"), Tail: []byte("<t/>"), Skip: func(e Elem) bool { return e.Is("b", nsClient) }}
	out := make([]byte, 0, 4096)
	s := new(State)
	p.Next(s, []byte(testHeader), &testLimits)
	if n := testing.AllocsPerRun(50, func() {
		for _, in := range [][]byte{in, plain} {
			k, e, _, err := p.Next(s, in, &testLimits)
			if k != Element || err != nil {
				t.Fatal(k, err)
			}
			e.Text()
			e.Lang()
			e.Attr("to")
			e.Child("body", nsClient).Text()
			e.HasText()
			for _, space := range testTargets {
				out = e.AppendTo(out[:0], space)
				if _, err := d.Parse(out, nsClient); err != nil {
					t.Fatal(err)
				}
				out = e.AppendInner(out[:0], space)
				out = e.AppendEdited(out[:0], space, ed)
			}
		}
		out = b.Reset(out[:0], nsClient).Start("iq", "").Attr("to", "a<b").AttrInt("n", 7).
			Start("query", "urn:q").Text("x & y").Raw(plain).End().End().Bytes()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
