package blocking

import (
	"math/rand/v2"
	"testing"

	"meerkat/engine/jid"
	"meerkat/engine/roster"
)

// Whom no changed item fits, both lists judge alike: held against lists at random.
func TestChanged(t *testing.T) {
	values := []string{"a@test", "b@test", "a@test/x", "test", "c@other", "other"}
	some := func() item {
		it := item{Deny: rand.IntN(2) == 0, Kinds: []kinds{0, presenceIn, presenceOut}[rand.IntN(3)]}
		switch rand.IntN(6) {
		case 0:
		case 1:
			it.Type, it.Value = "subscription", []string{"both", "none"}[rand.IntN(2)]
		default:
			it.Type, it.Value = "jid", values[rand.IntN(len(values))]
		}
		return it
	}
	skipped := 0
	for range 20000 {
		before := &list{}
		for range rand.IntN(6) {
			before.Items = append(before.Items, some())
		}
		after := &list{Items: append([]item(nil), before.Items...)}
		for range rand.IntN(3) {
			at := rand.IntN(len(after.Items) + 1)
			after.Items = append(after.Items[:at:at], append([]item{some()}, after.Items[at:]...)...)
		}
		ch := changed(before, after)
		for _, v := range values {
			j := jid.MustParse(v)
			c := roster.Contact{JID: j.BareString(), State: roster.From | roster.To}
			w := whoIs(&c, j)
			fits := false
			for i := range ch {
				fits = fits || ch[i].fits(&w)
			}
			if fits {
				continue
			}
			skipped++
			for _, w.kind = range []kinds{presenceIn, presenceOut} {
				if before.denies(&w) != after.denies(&w) {
					t.Fatalf("%s is judged otherwise by %+v and %+v, and none of %+v fits", v, before.Items, after.Items, ch)
				}
			}
		}
	}
	if skipped == 0 {
		t.Error("nothing was held against anything")
	}
}
