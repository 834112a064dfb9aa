package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
)

// A batch larger than a turn arrives whole and in order, behind what was fanned
// before; odd addresses are understood; a filter is heeded for each stanza.
func TestBatchIsCutIntoTurns(t *testing.T) {
	w := newWorld(t, 1, func(p *Plan) {
		p.FilterIn = []feature.Stage{func(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
			if s.Kind == stanza.Presence && (s.Type != stanza.Available || s.To.String() != "romeo@test/x") {
				t.Errorf("a filter sees %v %v to %s", s.Kind, s.Type, s.To)
			}
			if s.From.Resource() == "it's 7" || s.From.Resource() == "8" {
				return feature.Done
			}
			return feature.Continue
		}}
	})
	_, out := w.login("romeo@test/x", "")
	const n = fanTurn + fanTurn/2
	var b []byte
	var ends []uint32
	for i := range n {
		nick := fmt.Sprint(i)
		if i%2 == 1 {
			nick = fmt.Sprintf("it&apos;s %d", i)
		}
		b = fmt.Appendf(b, "<presence from='r@rooms.test/%s' to='romeo@test/x'><show>away</show></presence>", nick)
		ends = append(ends, uint32(len(b)))
	}
	r := w.router("r@rooms.test")
	r.Run(func() {
		first := "<message from='r@rooms.test/a'><body>1</body></message>"
		r.Fan([]byte(first), func(yield func(jid.JID)) { yield(jid.MustParse("romeo@test/x")) })
		r.Batch(jid.MustParse("romeo@test/x"), b, ends)
		r.Batch(jid.MustParse("romeo@test/gone"), b, ends)
		r.Fan([]byte(strings.Replace(first, "1", "2", 1)), func(yield func(jid.JID)) { yield(jid.MustParse("romeo@test/x")) })
	})
	var between []int
	w.eachTurn(3, func() { between = append(between, out.n) })
	if want := []int{0, fanTurn - 2, n - 2 + 2}; !slices.Equal(between, want) { // two are filtered
		t.Errorf("%v had been served when others had their turns, want %v", between, want)
	}
	if out.n != n-2+2 || !strings.Contains(out.got[0], ">1<") || !strings.Contains(out.got[out.n-1], ">2<") {
		t.Fatalf("%d stanzas, want %d; first %s, last %s", out.n, n, out.got[0], out.got[out.n-1])
	}
	if got, want := out.got[8], "<presence from='r@rooms.test/it&apos;s 9' to='romeo@test/x'><show>away</show></presence>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
