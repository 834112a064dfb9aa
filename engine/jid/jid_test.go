package jid

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParsePreparesEachPart(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		j, err := Parse(in)
		if err != nil || j.String() != want {
			t.Errorf("Parse(%q) = %q, %v; want %q", in, j.String(), err, want)
		}
	}
	f("example.org", "example.org")
	f("juliet@example.org/balcony", "juliet@example.org/balcony")
	f("Juliet@Example.ORG/Balcony", "juliet@example.org/Balcony")
	f("juliet@example.org.", "juliet@example.org")
	f("juliet@example.org./x", "juliet@example.org/x")
	f("example.org/a@b/c", "example.org/a@b/c")
	f("juliet@example.org/ foo bar ", "juliet@example.org/ foo bar ")
	f("fußball@example.com", "fußball@example.com")
	f("ΠΙ@example.com", "πι@example.com")
	f("Σ@example.com/foo", "σ@example.com/foo")
	f("king@example.com/♚", "king@example.com/♚")
	f("a@example.com/x\u00a0y\u3000z", "a@example.com/x y z")
	f("e\u0301@example.com/e\u0301", "\u00e9@example.com/\u00e9")
	f("\uff21\uff22@example.com", "ab@example.com")
	f("x@xn--bcher-kva.example", "x@b\u00fccher.example")
	f("x@XN--BCHER-KVA.example", "x@b\u00fccher.example")
	f("x@B\u00dcCHER\u3002example", "x@b\u00fccher.example")
	f("x@stra\u00dfe.example", "x@stra\u00dfe.example")
	f("x@127.0.0.1", "x@127.0.0.1")
	f("x@[::1]/r", "x@[::1]/r")
	f("x@[2001:DB8:0:0::1]", "x@[2001:db8::1]")
	f("a.example.com/b@example.net", "a.example.com/b@example.net")
	f("!#$%()*+,-.;=?[\\]^_`{|}~@example.com", "!#$%()*+,-.;=?[\\]^_`{|}~@example.com")
}

func TestParseSaysWhichPartIsWrong(t *testing.T) {
	f := func(in string, want Error) {
		t.Helper()
		if j, err := Parse(in); err != want || !j.IsZero() {
			t.Errorf("Parse(%.60q) = %q, %v; want error %v", in, j.String(), err, want)
		}
	}
	f("", ErrEmptyDomain)
	f("/x", ErrEmptyDomain)
	f("x@", ErrEmptyDomain)
	f("x@/y", ErrEmptyDomain)
	f(".", ErrEmptyDomain)
	f("@example.org", ErrEmptyLocal)
	f("@/x", ErrEmptyLocal)
	f("example.org/", ErrEmptyResource)
	f("x@example.org/", ErrEmptyResource)
	for _, c := range "\"&':<>  \t\x00\x7f" {
		f("a"+string(c)+"b@example.org", ErrLocal)
	}
	f("a\uff20b@example.org", ErrLocal)          // becomes @
	f("a\uff0fb@example.org", ErrLocal)          // becomes /
	f("\u265a@example.com", ErrLocal)            // RFC 7622 §3.5: a symbol
	f("henry\u2163@example.com", ErrLocal)       // RFC 7622 §3.5: a compatibility character
	f("a\xff@example.org", ErrLocal)             // not UTF-8
	f("\u05d0a@example.org", ErrLocal)           // Bidi rule
	f("x@a_b.example", ErrDomain)                // not LDH
	f("x@a..b", ErrDomain)                       // an empty label
	f("x@.a", ErrDomain)                         //
	f("x@a..", ErrDomain)                        //
	f("x@-a.example", ErrDomain)                 // a hyphen in front
	f("x@a-.example", ErrDomain)                 //
	f("x@ab--c.example", ErrDomain)              // an unknown prefix
	f("x@xn--a.example", ErrDomain)              // no such A-label
	f("x@xn--abc-.example", ErrDomain)           // an A-label of ASCII
	f("x@y@example.org", ErrDomain)              //
	f("x@exa mple.org", ErrDomain)               //
	f("x@\u2100.example", ErrDomain)             // would become a/c
	f("x@[::1", ErrDomain)                       //
	f("x@[]", ErrDomain)                         //
	f("x@[fe80::1%eth0]", ErrDomain)             // a zone
	f("x@[127.0.0.1]", ErrDomain)                //
	f("x@::1", ErrDomain)                        //
	f("x@a\xc3.example", ErrDomain)              // cut UTF-8
	f("x@example.org/a\x00", ErrResource)        //
	f("x@example.org/a\tb", ErrResource)         //
	f("x@example.org/a\x7f", ErrResource)        //
	f("x@example.org/\xed\xa0\x80", ErrResource) // a surrogate
}

func TestPartsHaveAtMost1023Octets(t *testing.T) {
	full, over := strings.Repeat("a", 1023), strings.Repeat("a", 1024)
	wide := strings.Repeat("\uff41", 1023) // three octets each, one when prepared
	f := func(in string, want error) {
		t.Helper()
		if _, err := Parse(in); err != want {
			t.Errorf("Parse(%.20q of %d octets): %v, want %v", in, len(in), err, want)
		}
	}
	f(full+"@"+full+"/"+full, nil)
	f(wide+"@example.org", nil)
	f(over+"@example.org", ErrLongLocal)
	f(wide+"a@example.org", ErrLongLocal)
	f(strings.Repeat("a", 5000)+"@example.org", ErrLongLocal)
	f("x@"+over, ErrLongDomain)
	f("x@"+full+".", nil)
	f("x@"+strings.Repeat("a", 5000)+"_", ErrLongDomain)
	f("x@example.org/"+over, ErrLongResource)
	f("x@example.org/"+strings.Repeat("\u00e9", 512), ErrLongResource)
	f("x@example.org/"+strings.Repeat("\u00e9", 511), nil)
	f("x@xn--"+strings.Repeat("a", 60)+".example", ErrDomain)
	f("x@"+strings.Repeat("\u00e9", 64)+".example", ErrDomain)
	f("x@"+strings.Repeat("\u00e9.", 300)+"example", nil)
}

func TestPartsAndForms(t *testing.T) {
	f := func(in, local, domain, resource string) {
		t.Helper()
		j := MustParse(in)
		if j.Local() != local || j.Domain() != domain || j.Resource() != resource {
			t.Errorf("%s: parts %q %q %q, want %q %q %q", in, j.Local(), j.Domain(), j.Resource(), local, domain, resource)
		}
		bare := domain
		if local != "" {
			bare = local + "@" + domain
		}
		if j.BareString() != bare || j.Bare() != MustParse(bare) || j.Bare().String() != bare {
			t.Errorf("%s: bare %q, want %q", in, j.BareString(), bare)
		}
		if j.HasLocal() != (local != "") || j.IsFull() != (resource != "") || j.IsBare() == j.IsFull() || j.IsZero() {
			t.Errorf("%s: HasLocal %v IsFull %v IsBare %v IsZero %v", in, j.HasLocal(), j.IsFull(), j.IsBare(), j.IsZero())
		}
		if n, err := New(local, domain, resource); n != j || err != nil {
			t.Errorf("New(%q, %q, %q) = %v, %v; want %v", local, domain, resource, n, err, j)
		}
		if w, err := j.Bare().WithResource(resource); w != j || err != nil {
			t.Errorf("%s.WithResource(%q) = %v, %v", j.Bare(), resource, w, err)
		}
	}
	f("a", "", "a", "")
	f("a/b", "", "a", "b")
	f("a@b", "a", "b", "")
	f("a@b/c", "a", "b", "c")
	f("a@b/c/d@e", "a", "b", "c/d@e")
	f("a@[::1]/c", "a", "[::1]", "c")
}

func TestZeroJIDIsNoAddress(t *testing.T) {
	var j JID
	if !j.IsZero() || j.IsFull() || j.HasLocal() || j.String()+j.Local()+j.Domain()+j.Resource()+j.BareString() != "" || j.Bare() != j {
		t.Errorf("the zero JID says something: %#v", j)
	}
	if _, err := j.WithResource("x"); err != ErrEmptyDomain {
		t.Errorf("WithResource on the zero JID: %v, want %v", err, ErrEmptyDomain)
	}
}

func TestViewBorrowsAndCloneOwns(t *testing.T) {
	b := []byte("juliet@example.org/balcony")
	j, err := View(b)
	if err != nil {
		t.Fatal(err)
	}
	own := j.Clone()
	b[0] = 'J'
	if j.String() != "Juliet@example.org/balcony" {
		t.Errorf("View copied: %q", j)
	}
	if own != MustParse("juliet@example.org/balcony") {
		t.Errorf("Clone borrows: %q", own)
	}
	if j, err = View(b); err != nil || j != own {
		t.Errorf("View(%q) = %q, %v; want it prepared", b, j, err)
	}
	b[1] = 'U'
	if j != own {
		t.Errorf("what View had to prepare still borrows: %q", j)
	}
}

func TestCommonAddressesDoNotAllocate(t *testing.T) {
	b := []byte("juliet@example.org/balcony")
	s, j := string(b), MustParse(string(b))
	f := func(name string, fn func()) {
		t.Helper()
		if n := testing.AllocsPerRun(1000, fn); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
	var sink JID
	var text string
	f("View", func() { sink, _ = View(b) })
	f("Parse", func() { sink, _ = Parse(s) })
	f("Bare", func() { sink = j.Bare() })
	f("BareString", func() { text = j.BareString() })
	f("Resource", func() { text = j.Resource() })
	f("PrepareLocal", func() { text, _ = PrepareLocal("juliet") })
	f("refusal", func() { _, _ = Parse("@example.org") })
	_, _ = sink, text
}

// The fast way must say what the long way says, and preparation must be done
// once: whatever comes out goes in again unchanged.
func FuzzViewIsParse(f *testing.F) {
	for _, s := range []string{
		"juliet@example.org/balcony", "Juliet@Example.ORG./x", "x@xn--bcher-kva.example", "a@[::1]/c", "@", "/", "",
		"\uff21@\u3002b/\u3000", "ab--c", "x@a-.b", "a@b/c/d@e", "\u1e9e\u0130@\u0130.\u1e9e/\u0130", "\u0390\u03a9\u0345@a", "a@xn--.b",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		j, err := View(b)
		l, d, r, serr := split(string(b))
		long, lerr := JID{}, serr
		if serr == nil {
			long, lerr = slow(l, d, r)
		}
		if err != lerr || j != long {
			t.Fatalf("View(%q) = %q, %v; the long way %q, %v", b, j, err, long, lerr)
		}
		if err != nil {
			return
		}
		if again, err := Parse(j.String()); err != nil || again != j {
			t.Fatalf("Parse(%q) = %q; then %q, %v", b, j, again, err)
		}
		if n, err := New(j.Local(), j.Domain(), j.Resource()); err != nil || n != j {
			t.Fatalf("New of the parts of %q = %q, %v", j, n, err)
		}
		if !utf8.ValidString(j.String()) || len(j.Local()) > MaxPart || len(j.Domain()) > MaxPart || len(j.Resource()) > MaxPart {
			t.Fatalf("View(%q) let pass %q", b, j)
		}
	})
}

// slow prepares without the short cuts for ASCII.
func slow(local, domain, resource string) (JID, error) {
	var err error
	if local != "" {
		if local, err = mapLocal(local); err != nil {
			return JID{}, err
		}
	}
	if domain, err = mapDomain(domain); err != nil {
		return JID{}, err
	}
	if resource != "" {
		if resource, err = mapResource(resource); err != nil {
			return JID{}, err
		}
	}
	return join(local, domain, resource), nil
}

func BenchmarkView(b *testing.B) {
	in := []byte("juliet@example.org/balcony")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := View(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseUpperCase(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("Juliet@example.org/balcony"); err != nil {
			b.Fatal(err)
		}
	}
}

// The dearest addresses found so far: they bound what one stanza can cost.
func BenchmarkParseHostile(b *testing.B) {
	label, err := toUnicode.ToASCII(strings.Repeat("\u00fc\u6f22", 9))
	if err != nil {
		b.Fatal(err)
	}
	for name, in := range map[string]string{
		"domain":   strings.Repeat(label+".", rawFactor*MaxPart/(len(label)+1)),
		"resource": "a/" + strings.Repeat("e\u0323\u0301", 204),
		"local":    strings.Repeat("\uff21\u0323\u0301", 200) + "@a",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(in); err != nil && err != ErrLongDomain {
					b.Fatal(err)
				}
			}
		})
	}
}
