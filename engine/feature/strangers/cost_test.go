package strangers

import (
	"testing"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// talk is romeo, who has just written to juliet, and his next message to her.
func talk(t testing.TB) (*Feature, *feature.Ctx, *stanza.Stanza) {
	f := New(new(account.Flags), []string{"test"}, 1)
	e := &feature.Env{Loop: loop.NewManual(1, time.Unix(1e9, 0)).At(0), Accounts: account.NewTable()}
	a := e.Accounts.Open(jid.MustParse("romeo@test"))
	c := &feature.Ctx{Env: e, Account: a, Owner: a.JID, Session: new(account.Session)}
	var doc xml.Doc
	el, err := doc.Parse([]byte("<message to='juliet@test/x' type='chat'><body>hi</body></message>"), stanza.Client)
	if err != nil {
		t.Fatal(err)
	}
	s := new(stanza.Stanza)
	s.Read(el)
	f.hour(c).last = hashOf(s)
	return f, c, s
}

// Who writes on to the same one pays for a hash.
func TestTheSameRecipientCostsNothing(t *testing.T) {
	f, c, s := talk(t)
	if n := testing.AllocsPerRun(1000, func() { f.FilterOut(c, s) }); n != 0 {
		t.Errorf("%v allocations a message, want 0", n)
	}
}

func BenchmarkTheSameRecipient(b *testing.B) {
	f, c, s := talk(b)
	for b.Loop() {
		f.FilterOut(c, s)
	}
}
