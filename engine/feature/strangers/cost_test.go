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

// Who writes on to the same one pays for a hash.
func TestTheSameRecipientCostsNothing(t *testing.T) {
	f := New([]string{"test"}, 1)
	group := loop.NewManual(1, time.Unix(1e9, 0))
	e := &feature.Env{Loop: group.At(0), Accounts: account.NewTable()}
	a := e.Accounts.Open(jid.MustParse("romeo@test"))
	c := &feature.Ctx{Env: e, Account: a, Owner: a.JID}
	var doc xml.Doc
	el, err := doc.Parse([]byte("<message to='juliet@test/x' type='chat'><body>hi</body></message>"), stanza.Client)
	if err != nil {
		t.Fatal(err)
	}
	var s stanza.Stanza
	s.Read(el)
	f.hour(c).last = hashOf(&s)
	if n := testing.AllocsPerRun(1000, func() { f.FilterOut(c, &s) }); n != 0 {
		t.Errorf("%v allocations a message, want 0", n)
	}
}
