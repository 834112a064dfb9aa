package stream

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Every limit that is hit shows in its metric, and so does every error.
func TestWhatHappensIsCounted(t *testing.T) {
	condition := func(name string) func() uint64 {
		i := slices.Index(conditions, name)
		return func() uint64 { return streamErrors.Value(i) }
	}
	limit := func(name string) func() uint64 {
		i := slices.Index(limits, name)
		return func() uint64 { return limitHits.Value(i) }
	}
	const failed = "<abort xmlns='" + nsSASL + "'/>"
	for _, c := range []struct {
		what   string
		phase  byte
		send   string
		counts []func() uint64
	}{
		{"a large stanza", 3, "<message>" + strings.Repeat("x", 300<<10), []func() uint64{limit("bytes"), condition("policy-violation")}},
		{"a large element before login", 1, "<auth>" + strings.Repeat("x", 9000), []func() uint64{limit("bytes")}},
		{"nesting", 3, strings.Repeat("<a>", 65), []func() uint64{limit("depth")}},
		{"attributes", 3, "<a" + manyAttributes(300) + "/>", []func() uint64{limit("attributes")}},
		{"elements", 3, "<a>" + strings.Repeat("<b/>", 10000) + "</a>", []func() uint64{limit("elements")}},
		{"garbage", 0, "GET / HTTP/1.1", []func() uint64{condition("not-well-formed")}},
		{"an aborted login", 1, failed, []func() uint64{failures.Value}},
		{"guessing", 1, strings.Repeat(failed, 5), []func() uint64{guessers.Value, condition("policy-violation")}},
		{"a binding", 2, testBind, []func() uint64{bindings.Value}},
		{"a bad binding", 2, strings.Replace(testBind, "desk", "&#9;", 1), []func() uint64{refusals.Value}},
		{"silence", 0, "", []func() uint64{timeouts.Value, condition("connection-timeout")}},
	} {
		h := newHarness(t, 2, drop)
		p := h.inPhase(c.phase)
		before := make([]uint64, len(c.counts))
		for i, f := range c.counts {
			before[i] = f()
		}
		p.WriteString(c.send)
		h.group.Turn()
		h.group.Advance(61 * time.Second)
		for i, f := range c.counts {
			if got := f() - before[i]; got != 1 {
				t.Errorf("%s: counter %d went up by %d, want 1", c.what, i, got)
			}
		}
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "=''")
	}
	return b.String()
}
