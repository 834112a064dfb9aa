package xml

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const testHeader = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' version='1.0'>"

var testLimits = Limits{Bytes: 1 << 18, Header: 4096, Depth: 64, Attrs: 256, Elems: 10000}

// lines reads a file of JSON objects, one a line.
func lines[T any](t testing.TB, name string) (all []T) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var v T
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatalf("%s: %v: %s", name, err, s.Bytes())
		}
		all = append(all, v)
	}
	return all
}

// malformed is a case of testdata/malformed.jsonl. ctx is "stream" if the bytes
// are a whole stream, "stanza" if they follow testHeader.
type malformed struct {
	ID, Ctx, Hex, Verdict, Why string
	Also                       []string
	bytes                      []byte
}

func malformedCases(t testing.TB) []malformed {
	all := lines[malformed](t, "testdata/malformed.jsonl")
	if len(all) < 150 {
		t.Fatalf("%d cases, want all", len(all))
	}
	for i := range all {
		all[i].bytes, _ = hex.DecodeString(all[i].Hex)
	}
	return all
}

// verdicts of the corpus for our errors.
var verdicts = map[Error]string{
	NotWellFormed: "not-well-formed",
	Restricted:    "restricted-xml",
	BadPrefix:     "invalid-namespace",
	BadEncoding:   "bad-encoding",
	BadFormat:     "not-well-formed",
}

// session feeds one stream to a Parser in reads of any size.
type session struct {
	p   *Parser
	s   State
	lim *Limits
	got []string // canonical events of the elements
	end bool
}

func newSession(header bool) *session {
	c := &session{p: NewParser(), lim: &testLimits}
	if header {
		c.feed([]byte(testHeader))
	}
	return c
}

// feed gives b, in a buffer of its own with room to spare, to the parser.
func (c *session) feed(b []byte) error {
	return c.feedIn(append(make([]byte, 0, len(b)+64), b...))
}

// feedIn gives in to the parser, with what is behind it in memory.
func (c *session) feedIn(in []byte) error {
	for len(in) > 0 {
		k, e, n, err := c.p.Next(&c.s, in, c.lim)
		if err != nil {
			return err
		}
		switch k {
		case Element:
			c.got = append(c.got, canon(e))
		case End:
			c.end = true
		}
		in = in[n:]
	}
	return nil
}

// verdict is the corpus' word for how it went.
func (c *session) verdict(err error) string {
	switch {
	case err != nil:
		return verdicts[err.(Error)]
	case c.s.Partial() || c.s.mode < modeStream:
		return "incomplete"
	}
	return "ok"
}

// splits calls f with every way to cut b that the tests try.
func splits(b []byte, f func(name string, parts [][]byte)) {
	f("whole", [][]byte{b})
	for _, n := range []int{1, 2, 3, 7, 13, 64} {
		var parts [][]byte
		for i := 0; i < len(b); i += n {
			parts = append(parts, b[i:min(i+n, len(b))])
		}
		f("chunks", parts)
	}
	step := max(1, len(b)/2000)
	for i := 1; i < len(b); i += step {
		f("split", [][]byte{b[:i], b[i:]})
	}
}

func TestMalformedCorpusAtEverySplit(t *testing.T) {
	for _, c := range malformedCases(t) {
		want := append([]string{c.Verdict}, c.Also...)
		events := ""
		splits(c.bytes, func(how string, parts [][]byte) {
			s := newSession(c.Ctx == "stanza")
			var err error
			for _, b := range parts {
				if err = s.feed(b); err != nil {
					break
				}
			}
			got := s.verdict(err)
			if !contains(want, got) {
				t.Errorf("%s (%s) %s: got %s (%v), want %s: %q", c.ID, c.Why, how, got, err, want, c.bytes)
			}
			if s.p.Held() != 0 && !s.s.Partial() {
				t.Errorf("%s %s: %d bytes held and nothing partial", c.ID, how, s.p.Held())
			}
			if ev := strings.Join(s.got, ""); how == "whole" {
				events = ev
			} else if got == "ok" && ev != events {
				t.Errorf("%s %s: events\n%s\nwant, as in one read\n%s", c.ID, how, ev, events)
			}
		})
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
