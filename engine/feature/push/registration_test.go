package push

import (
	"reflect"
	"strings"
	"testing"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

func TestRegistrationsAreReadAsWritten(t *testing.T) {
	for _, r := range []registration{
		{server: jid.MustParse("push.test")},
		{server: jid.MustParse("push@test/app"), node: "n\x00", resource: "phone", options: []byte("<x/>")},
	} {
		if got, ok := decode(r.encode()); !ok || !reflect.DeepEqual(got, r) {
			t.Errorf("got %+v, want %+v", got, r)
		}
	}
}

// Whatever is in the store is a registration, written the same again, or none.
func FuzzDecode(f *testing.F) {
	r := registration{server: jid.MustParse("push@test/app"), node: "n", resource: "phone", options: []byte("<x/>")}
	f.Add(r.encode())
	f.Add([]byte{1, 0xff})
	f.Fuzz(func(t *testing.T, v []byte) {
		r, ok := decode(v)
		if !ok {
			return
		}
		if again, ok := decode(r.encode()); !ok || !reflect.DeepEqual(again, r) {
			t.Errorf("%q is %+v, then %+v", v, r, again)
		}
	})
}

func TestBodiesAreCutBetweenLetters(t *testing.T) {
	for in, want := range map[string]string{"abc": "abc", "abcdef": "abcd", "abcé": "abc", "ééé": "éé", strings.Repeat("x", 9): "xxxx"} {
		if got := cut(in, 4); got != want {
			t.Errorf("cut %q: got %q, want %q", in, got, want)
		}
	}
}

// chat is a message for an account that is here and has no registrations.
func chat(t testing.TB) (*Feature, *feature.Ctx, *stanza.Stanza) {
	var flags account.Flags
	_, f := New(&flags, func(*account.Session) bool { return false }, 1)
	e := &feature.Env{Accounts: account.NewTable()}
	a := e.Accounts.Open(jid.MustParse("romeo@test"))
	f.known.Put(&a.Slots, &none)
	var doc xml.Doc
	el, err := doc.Parse([]byte("<message to='romeo@test' type='chat'><body>hi</body></message>"), stanza.Client)
	if err != nil {
		t.Fatal(err)
	}
	s := new(stanza.Stanza)
	s.Read(el)
	return f, &feature.Ctx{Env: e, Account: a, Owner: a.JID}, s
}

// Accounts without registrations pay nothing for others'.
func TestWithoutRegistrationsNothingIsAllocated(t *testing.T) {
	f, c, s := chat(t)
	if n := testing.AllocsPerRun(1000, func() { f.Inbound(c, s) }); n != 0 {
		t.Errorf("Inbound: %v allocations a message, want 0", n)
	}
}

func BenchmarkWithoutRegistrations(b *testing.B) {
	f, c, s := chat(b)
	for b.Loop() {
		f.Inbound(c, s)
	}
}
