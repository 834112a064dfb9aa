package load

import (
	"strings"
	"testing"
)

const conversation = `<?xml version='1.0'?><stream:stream id="a>b" xmlns='jabber:client'>` +
	` <stream:features><bind xmlns='b'/></stream:features>
<message from='a' id='x' type="chat"><body>a &gt; b</body><x><![CDATA[</message>]]></x></message><presence/></stream:stream>`

// Every event comes whole and in order wherever the bytes are cut.
func TestSplitAtEveryByte(t *testing.T) {
	want := []event{header, element, element, element, streamEnd}
	for cut := range len(conversation) {
		var got []event
		rest := []byte(conversation[:cut])
		more := conversation[cut:]
		for {
			e, _, n := next(rest)
			rest = rest[n:]
			if e == incomplete {
				if more == "" {
					break
				}
				rest, more = append(rest, more...), ""
				continue
			}
			got = append(got, e)
		}
		if len(got) != len(want) {
			t.Fatalf("cut at %d: events %v, want %v", cut, got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("cut at %d: events %v, want %v", cut, got, want)
			}
		}
	}
}

func TestSplitRefusesText(t *testing.T) {
	if e, _, _ := next([]byte("HTTP/1.1 400")); e != malformed {
		t.Errorf("event %v, want malformed", e)
	}
}

func TestAttr(t *testing.T) {
	el := []byte(`<message xid='no' to="juliet@test/it's" id='7'><x id='8'/></message>`)
	for name, want := range map[string]string{"id": "7", "to": "juliet@test/it's", "from": ""} {
		if got := string(attr(el, name)); got != want {
			t.Errorf("attr %s: %q, want %q", name, got, want)
		}
	}
}

func TestCondition(t *testing.T) {
	for el, want := range map[string]string{
		`<iq type='error'><q/><error type='cancel'><item-not-found xmlns='s'/></error></iq>`: "item-not-found",
		`<failure xmlns='sasl'><not-authorized/></failure>`:                                  "not-authorized",
		`<stream:error><conflict xmlns='s'/></stream:error>`:                                 "conflict",
		`<failure/>`: "undefined-condition",
	} {
		if got := condition([]byte(el)); got != want {
			t.Errorf("%s: %q, want %q", el, got, want)
		}
	}
}

func TestText(t *testing.T) {
	el := []byte("<message><body>hi</body></message>")
	if got := string(text(el, "body")); got != "hi" {
		t.Errorf("text %q, want hi", got)
	}
	if got := text(el, "status"); got != nil {
		t.Errorf("text %q, want none", got)
	}
}

func BenchmarkSplit(b *testing.B) {
	el := []byte("<message to='u0000001@localhost/bench' from='u0000000@localhost/bench' type='chat' id='0000001'><body>" +
		strings.Repeat("x", 100) + "</body></message>")
	b.SetBytes(int64(len(el)))
	for b.Loop() {
		if e, _, _ := next(el); e != element {
			b.Fatal(e)
		}
	}
}
