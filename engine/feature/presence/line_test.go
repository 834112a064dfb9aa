package presence

import (
	"testing"
	"time"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
)

type sink struct{ got []string }

func (s *sink) Write(b []byte)       { s.got = append(s.got, string(b)) }
func (*sink) Pause()                 {}
func (*sink) Resume()                {}
func (*sink) Kick(string, string)    {}
func (*sink) Sent(func(ok bool))     {}
func (s *sink) take() (all []string) { all, s.got = s.got, nil; return all }

// Presence waits for the subscriptions before it, not for those behind it, and
// not at all once too much waits.
func TestPresenceWaitsForSubscriptionsBeforeIt(t *testing.T) {
	romeo := jid.MustParse("romeo@test")
	e := &feature.Env{Loop: loop.NewManual(1, time.Unix(1e9, 0)).At(0), Accounts: account.NewTable()}
	out := &sink{}
	a := e.Accounts.Open(romeo)
	a.Add(&account.Session{JID: jid.MustParse("romeo@test/x"), Sink: out, Presence: []byte("<presence/>")})
	ls := make(lines)
	if ls.hold(romeo, romeo, []byte("0")) {
		t.Error("presence waits for nothing")
	}
	ls.begin(romeo)
	held1 := ls.hold(romeo, romeo, []byte("1"))
	ls.begin(romeo)
	held2 := ls.hold(romeo, jid.MustParse("romeo@test/x"), []byte("2"))
	if !held1 || !held2 || ls.hold(jid.MustParse("other@test"), romeo, nil) {
		t.Fatal("presence does not wait, or another account's does")
	}
	for _, want := range []string{"1", "2"} {
		ls.end(e, romeo)
		if got := out.take(); len(got) != 1 || got[0] != want {
			t.Errorf("after a subscription: %q, want %q", got, want)
		}
	}
	if len(ls) != 0 {
		t.Errorf("%d lines are left", len(ls))
	}
	ls.begin(romeo)
	for range maxHeld {
		ls.hold(romeo, romeo, []byte("x"))
	}
	if ls.hold(romeo, romeo, []byte("y")) {
		t.Errorf("more than %d wait", maxHeld)
	}
}
