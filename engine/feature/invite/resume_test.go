package invite

import (
	"log/slog"
	"testing"
	"time"

	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/feature/presence"
	"meerkat/engine/feature/rosters"
	"meerkat/engine/invite"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/roster"
	"meerkat/engine/route"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// Somebody has made an account by invitation, and then the server stopped, before the
// one who has invited was told. When it comes up the two are contacts.
func TestCutShort(t *testing.T) {
	st, err := store.Open(store.Options{Dir: t.TempDir(), MapSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	users := auth.NewAccounts(st)
	now := time.Unix(1e9, 0)
	err = st.UpdateWait(func(tx *store.Tx) error {
		for _, name := range []string{"romeo@test", "juliet@test"} {
			if err := users.Create(tx, jid.MustParse(name), &auth.Credentials{}); err != nil {
				return err
			}
		}
		token, err := invite.New(tx, invite.Invite{Host: "test", By: "romeo@test", Register: true, Subscribe: true, Expires: now}, 0, now)
		if err != nil {
			return err
		}
		for _, kind := range []stanza.Type{stanza.Subscribed, stanza.Subscribe} {
			if _, err := roster.Outbound(tx, "juliet@test", "romeo@test", kind, 0); err != nil {
				return err
			}
		}
		return invite.Registered(tx, invite.KeyOf(token), "juliet@test")
	})
	if err != nil {
		t.Fatal(err)
	}
	group, here := loop.NewManual(3, now), presence.New(3)
	declared, _ := New()
	p := route.NewPlan([]string{"test"}, []feature.Feature{rosters.New(), here, declared})
	p.PresenceIn = []feature.Stage{PresenceIn, here.PresenceIn}
	route.New(p, group, feature.Env{Store: st, Config: config.Default(), Log: slog.Default(), Users: users})
	contacts := func(owner, contact string) (ok bool) {
		_ = st.View(func(tx *store.Tx) error {
			it, found := roster.Load(tx, owner).Find(contact)
			ok = found && it.State.Subscription() == "both"
			return nil
		})
		return ok
	}
	if !group.TurnUntil(func() bool { return contacts("romeo@test", "juliet@test") && contacts("juliet@test", "romeo@test") }) {
		t.Error("they are no contacts")
	}
	_ = st.View(func(tx *store.Tx) error {
		invite.Waiting(tx, func(_ invite.Key, in invite.Invite) { t.Errorf("left: %+v", in) })
		return nil
	})
}
