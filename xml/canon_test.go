package xml

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// canon writes what e means, one event a line: S and the name, A and an
// attribute, in order of (name, value), T and text, E.
func canon(e Elem) string {
	var b strings.Builder
	canonElem(&b, e, func(s string) string { return s })
	return b.String()
}

// quoted is canon with values in one line each.
func quoted(e Elem) string {
	var b strings.Builder
	canonElem(&b, e, strconv.Quote)
	return b.String()
}

func canonElem(b *strings.Builder, e Elem, quote func(string) string) {
	b.WriteString("S{" + quote(string(e.Space())) + "}" + string(e.Local()) + "\n")
	var attrs [][2]string
	e.Attrs(func(space, local, value []byte) bool {
		attrs = append(attrs, [2]string{"{" + quote(string(space)) + "}" + string(local), string(value)})
		return true
	})
	sort.Slice(attrs, func(i, j int) bool {
		return attrs[i][0] < attrs[j][0] || attrs[i][0] == attrs[j][0] && attrs[i][1] < attrs[j][1]
	})
	for _, a := range attrs {
		b.WriteString("A" + a[0] + "=" + quote(a[1]) + "\n")
	}
	text := ""
	flush := func() {
		if text != "" {
			b.WriteString("T" + quote(text) + "\n")
		}
		text = ""
	}
	for j := e.i + 1; j < e.end(); j++ {
		switch x := e.t.tape[j]; x.kind() {
		case kindText:
			text += string(e.t.value(j))
		case kindStart:
			flush()
			canonElem(b, Elem{e.t, j}, quote)
			j = x.hi()
		}
	}
	flush()
	b.WriteString("E\n")
}

func hash(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// example is a stanza with the hash of its canonical events.
type example struct {
	XEP   int
	XML   string
	Canon string
}

// examples reads testdata/stanzas.jsonl and, if MEERKAT_XEP_EXAMPLES names a
// directory, all of its files.
func examples(t testing.TB) (all []example) {
	all = lines[example](t, "testdata/stanzas.jsonl")
	if dir := os.Getenv("MEERKAT_XEP_EXAMPLES"); dir != "" {
		names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil || len(names) == 0 {
			t.Fatalf("MEERKAT_XEP_EXAMPLES=%s: no *.jsonl there", dir)
		}
		for _, name := range names {
			all = append(all, lines[example](t, name)...)
		}
	}
	return all
}

func TestExamplesHaveTheirEventsAtEverySplit(t *testing.T) {
	for _, x := range examples(t) {
		splits([]byte(x.XML), func(how string, parts [][]byte) {
			s := newSession(true)
			for _, b := range parts {
				if err := s.feed(b); err != nil {
					t.Fatalf("XEP-%04d, %s: %v: %s", x.XEP, how, err, x.XML)
				}
			}
			if got := hash(strings.Join(s.got, "")); got != x.Canon {
				t.Fatalf("XEP-%04d, %s: hash %s, want %s\n%s\n%s", x.XEP, how, got, x.Canon, x.XML, s.got)
			}
		})
	}
}
