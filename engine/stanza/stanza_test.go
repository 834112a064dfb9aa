package stanza

import (
	"bytes"
	"testing"

	"meerkat/engine/jid"
	"meerkat/xml"
)

var (
	romeo  = jid.MustParse("romeo@a.example/o'r&x")
	juliet = jid.MustParse("juliet@a.example/balcony")
)

var written = []string{
	"<message to='juliet@a.example/balcony' type='chat' id='1'><body>x</body></message>",
	"<message to=\"juliet@a.example/balcony\"/>",
	"<message to='JULIET@a.example/balcony'><delay xmlns='urn:xmpp:delay' from='a.example'/></message>",
	"<message from='romeo@a.example' xml:lang='de' to='juliet@a.example/balcony'><stanza-id xmlns='urn:xmpp:sid:0'/></message>",
	"<message xmlns='jabber:client' to='juliet@a.example/balcony' id='a&amp;b'><body>&lt;</body></message>",
	"<iq to='juliet@a.example/balcony' type='get' id='7'><p:q xmlns:p='urn:p'/></iq>",
	"<presence to='juliet@a.example/balcony' type='probe'/>",
}

// parse reads text as romeo's, with the language of his stream.
func parse(t *testing.T, text string) *Stanza {
	t.Helper()
	var d xml.Doc
	e, err := d.Parse([]byte(text), Client)
	if err != nil {
		t.Fatal(err)
	}
	s := new(Stanza)
	if c := s.Read(e); c != OK {
		t.Fatalf("%s: %v", text, c)
	}
	s.From = romeo
	if s.Lang == nil {
		s.Lang = []byte("en")
	}
	return s
}

// What Append writes says of itself what the server says: from, to and language.
func TestAppendStamps(t *testing.T) {
	for _, text := range written {
		s := parse(t, text)
		lang := string(s.Lang)
		out := s.Append(nil)
		got := parse(t, string(out))
		if f, _ := jid.View(got.Claimed); f != romeo || got.To != juliet || string(got.Lang) != lang {
			t.Errorf("%s becomes %s", text, out)
		}
		if got.Kind != s.Kind || got.Type != s.Type || !bytes.Equal(got.ID, s.ID) || bytes.Count(out, []byte("from=")) < 1 {
			t.Errorf("%s becomes %s", text, out)
		}
	}
}

// A stanza that goes with its head is the one that is read again.
func TestHead(t *testing.T) {
	for _, text := range written {
		s := parse(t, text)
		stamped := s.Stamped()
		raw := s.Append(nil)
		head := append(s.AppendHead(nil), "rest"...)
		var d xml.Doc
		var got Stanza
		if rest := got.ReadHead(head, d.Defer(raw, Client)); string(rest) != "rest" {
			t.Errorf("%s: %q is left", text, rest)
		}
		if out := got.Append(nil); !bytes.Equal(out, raw) {
			t.Errorf("%s: %s is not written as it came: %s", text, raw, out)
		}
		if got.Kind != s.Kind || got.Type != s.Type || got.From != s.From || got.To != s.To ||
			!bytes.Equal(got.ID, s.ID) || string(got.Lang) != string(s.Lang) || got.Stamped() != stamped {
			t.Errorf("%s: got %+v", text, got)
		}
		if got.Kind == IQ {
			continue // has one child
		}
		got.Tail = []byte("<x xmlns='urn:x'/>")
		again := parse(t, string(got.Append(nil)))
		if f, _ := jid.View(again.Claimed); f != romeo || !again.Elem.Child("x", "urn:x").OK() {
			t.Errorf("%s: with a tail %s", text, got.Append(nil))
		}
		got.From = juliet
		if f, _ := jid.View(parse(t, string(got.Append(nil))).Claimed); f != juliet {
			t.Errorf("%s: from another %s", text, got.Append(nil))
		}
	}
}

// One Stanza reads many: each time To is the address that is there, whether it is
// that of the one before, another of the same length, or none.
func TestReadAgain(t *testing.T) {
	var s Stanza
	for _, to := range []struct {
		attr, want string
		repeats    bool
	}{
		{"to='a@b/c'", "a@b/c", false}, {"to='a@b/c'", "a@b/c", true}, {"to='a@b/d'", "a@b/d", false},
		{"", "", false}, {"to='a@b/d'", "a@b/d", false}, {"to='A@b/d'", "a@b/d", false}, {"to='A@b/d'", "a@b/d", false},
		{"to='a@b/d'", "a@b/d", false}, {"to='@'", "", false}, {"to='@'", "", false}, {"to='a@b/d'", "a@b/d", false},
		{"to='a@b/d'", "a@b/d", true}, {"to='b'", "b", false}, {"to=''", "", false},
	} {
		var d xml.Doc
		e, err := d.Parse([]byte("<message "+to.attr+"/>"), Client)
		if err != nil {
			t.Fatal(err)
		}
		cond := s.Read(e)
		if s.To.String() != to.want || s.Repeats() != to.repeats || (cond == JIDMalformed) != (to.attr != "" && to.want == "") {
			t.Errorf("%s: to %q, %v, repeats %v", to.attr, s.To, cond, s.Repeats())
		}
		if to.want != "" {
			if j := jid.MustParse(to.want); s.To != j || s.To.Bare() != j.Bare() || s.To.Resource() != j.Resource() {
				t.Errorf("%s: the parts of %q are wrong", to.attr, s.To)
			}
		}
		s.From = romeo
		if out := s.Append(nil); cond == OK && to.want != "" && parse(t, string(out)).To.String() != to.want {
			t.Errorf("%s becomes %s", to.attr, out)
		}
		s.To = juliet // whoever handles it may change it
		if cond == OK && parse(t, string(s.Append(nil))).To != juliet {
			t.Errorf("%s stays %s", to.attr, s.Append(nil))
		}
	}
}

func TestStamped(t *testing.T) {
	for text, want := range map[string]bool{written[0]: false, written[2]: true, written[3]: true} {
		if parse(t, text).Stamped() != want {
			t.Errorf("%s: want %v", text, want)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	var d xml.Doc
	e, _ := d.Parse([]byte("<message to='juliet@a.example/balcony' type='chat' id='1'><body>"+
		string(bytes.Repeat([]byte("x"), 100))+"</body></message>"), Client)
	var s Stanza
	s.Read(e)
	s.From = romeo
	var out []byte
	for b.Loop() {
		out = s.Append(out[:0])
	}
}
