package route

import (
	"fmt"
	"strings"
	"testing"

	"meerkat/engine/feature"
	"meerkat/engine/stanza"
)

// A burst travels in few packets, and each of its stanzas arrives for itself: in
// order, with its cause, those behind one that makes a handler panic as well.
func TestBurstToAnotherLoop(t *testing.T) {
	const n = 200
	var causes []uint32
	w := newWorld(t, 4, func(p *Plan) {
		p.Inbound = []feature.Stage{func(c *feature.Ctx, s *stanza.Stanza) feature.Verdict {
			if string(s.ID) == "100" {
				panic("a bug of ours")
			}
			if string(s.ID) == "101" && (!s.Elem.Child("body", stanza.Client).OK() || s.From.Local() == "") {
				t.Errorf("got %s from %s", s.Elem.Raw(), s.From)
			}
			causes = append(causes, c.Cause().Number)
			return feature.Continue
		}, Deliver}
	})
	for i := range 20 {
		to := fmt.Sprintf("juliet%d@test/b", i)
		_, juliet := w.login(to, "0")
		romeo, _ := w.login(fmt.Sprintf("romeo%d@test/r", i), "0")
		r := w.router(romeo.Account.JID.String())
		if r == w.router(bareOf(to)) {
			continue
		}
		romeo.Lasting = i%2 == 0
		causes = causes[:0]
		for k := range n {
			e, err := w.docs[0].Parse(fmt.Appendf(nil, "<message to='%s' id='%d'><body>x</body></message>", to, k), stanza.Client)
			if err != nil {
				t.Fatal(err)
			}
			r.Handle(romeo, e)
		}
		if p := r.env.Loop.Last(w.router(bareOf(to)).env.Loop); p.Kind != kindShip || strings.Count(string(p.B), "<message") < 2 {
			t.Errorf("the last packet has %q, want some of the burst", p.B)
		}
		w.group.Turn()
		var ids []string
		for _, m := range juliet.got {
			_, id, _ := strings.Cut(m, "id='")
			id, _, _ = strings.Cut(id, "'")
			ids = append(ids, id)
		}
		for k, at := 0, 0; k < n; k++ {
			if k == 100 {
				continue
			}
			if at >= len(ids) || ids[at] != fmt.Sprint(k) {
				t.Fatalf("message %d is missing: %v", k, ids)
			}
			want := uint32(0)
			if romeo.Lasting {
				want = uint32(k + 1)
			}
			if causes[at] != want {
				t.Fatalf("message %d has the cause %d, want %d", k, causes[at], want)
			}
			at++
		}
	}
}

func bareOf(full string) string { bare, _, _ := strings.Cut(full, "/"); return bare }
