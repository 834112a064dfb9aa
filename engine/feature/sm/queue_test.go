package sm

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"meerkat/store"
)

// A queue is held against a plain slice under random operations.
func TestQueueAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var q queue
	var model []item
	for step := range 20000 {
		switch n := r.IntN(10); {
		case n < 5:
			it := item{stanza: bytes.Repeat([]byte{byte('a' + step%26)}, r.IntN(300)), at: int64(step), marks: byte(r.IntN(4))}
			q.push(it)
			model = append(model, it)
		case n < 9 && len(model) > 0:
			n := r.IntN(min(len(model), 8)) + 1
			q.pop(n)
			model = model[n:]
		case n == 9 && step%100 == 0:
			q.rewrite(func(_ int, it item) item {
				if it.marks&kept != 0 {
					return it.left()
				}
				return it
			})
			for i := range model {
				if model[i].marks&kept != 0 {
					model[i].marks |= away
				}
			}
		}
		same(t, &q, model)
	}
	q.pop(q.count)
	if q.p != nil || q.size() != 0 || q.weight != 0 {
		t.Errorf("an empty queue has %d bytes, weight %d", q.size(), q.weight)
	}
}

func same(t *testing.T, q *queue, model []item) {
	t.Helper()
	i, weight := 0, 0
	q.each(func(it item) {
		want := model[i]
		weight += len(want.stanza)
		if it.at != want.at || it.marks != want.marks || it.weight() != len(want.stanza) ||
			it.marks&away == 0 && !bytes.Equal(it.stanza, want.stanza) {
			t.Fatalf("item %d: got %+v, want %+v", i, it, want)
		}
		i++
	})
	if i != len(model) || q.count != i || q.weight != weight {
		t.Fatalf("%d items of weight %d, want %d of %d", i, q.weight, len(model), weight)
	}
}

// What is not a presence, a request, or only the news that somebody types is
// kept over a restart.
func TestWhatLasts(t *testing.T) {
	for s, want := range map[string]bool{
		"<message to='a'><body>hi</body></message>":                                                       true,
		"<message to='a'><received xmlns='urn:xmpp:receipts' id='1'/></message>":                          true,
		"<message to='a'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>":            false,
		"<message to='a'><body>x</body><active xmlns='http://jabber.org/protocol/chatstates'/></message>": true,
		"<presence from='a'/>":       false,
		"<iq type='result' id='1'/>": false,
	} {
		if got := lasts([]byte(s)); got != want {
			t.Errorf("%s: got %v, want %v", s, got, want)
		}
	}
}

// What could not be archived goes out without the ids that it had there, in a
// carbon as well; ids of others stay.
func TestWithoutIDs(t *testing.T) {
	const of = "<stanza-id xmlns='urn:xmpp:sid:0' by='a@test' "
	got := without([]byte("<message><b/>"+of+"id='1'/><stanza-id xmlns='urn:xmpp:sid:0' by='r@muc' id='2'/><x>"+of+"id='3'/></x></message>"), []byte(of))
	if want := "<message><b/><stanza-id xmlns='urn:xmpp:sid:0' by='r@muc' id='2'/><x></x></message>"; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A row of any bytes is read or refused, and one of ours comes back as it was.
func FuzzRow(f *testing.F) {
	good := store.AppendField([]byte{rowVersion}, make([]byte, 16))
	good = append(good, 200, 2) // max
	good = store.AppendField(store.AppendField(good, []byte("desk")), []byte("en"))
	good = append(good, 5, 1)
	good = store.AppendField(good, []byte("<presence/>"))
	good = append(good, 1)
	good = store.AppendField(good, []byte("juliet@test/balcony"))
	good = store.AppendField(store.AppendField(good, []byte("carbons")), []byte{1})
	if w, err := readRow(good); err != nil || w.resource != "desk" || w.lang != "en" || w.priority != 5 || !w.interested ||
		string(w.presence) != "<presence/>" || len(w.directed) != 1 || w.frozen["carbons"][0] != 1 || w.max != 328 {
		f.Fatalf("got %+v, %v", w, err)
	}
	f.Add(good)
	f.Add(good[:30])
	f.Add([]byte{})
	f.Add([]byte{rowVersion, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := readRow(b); err != nil && err != errRow {
			t.Errorf("got %v", err)
		}
	})
}
