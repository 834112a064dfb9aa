package muc

import (
	"errors"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/store"
)

// removed ends what an account is to rooms when it is removed: who gets the name
// next owns nothing, and is nobody's member. Who is banned stays banned.
func (f *service) removed(c *feature.Ctx) func() {
	e, user := c.Env, c.Owner.Clone()
	e.Update(func(tx *store.Tx) error { return Forget(tx, user.String()) }, func(err error) {
		if err != nil {
			e.Log.Error("a removed account is still known to rooms", "account", user.String(), "err", err)
		}
	})
	return func() {
		for _, k := range f.keepers {
			k.env.Loop.Post(func() { k.env.Router.Run(func() { k.forgetUser(user) }) })
		}
	}
}

// Forget takes a user, a bare JID, out of all stored rooms.
func Forget(tx *store.Tx, bare string) (err error) {
	var names []string
	_ = knownIn.Each(tx, bare, func(room string, _ []byte) error { names = append(names, room); return nil })
	for _, room := range names {
		err = errors.Join(err, putAffiliation(tx, room, bare, none))
	}
	return err
}

// forgetUser takes a user out of the rooms of this loop that are in memory.
func (k *keeper) forgetUser(user jid.JID) {
	for _, r := range k.f.loops[k.env.Shard()] {
		if r.affiliation(user) >= member {
			r.exclusive(func() { r.release(user.String()) })
		}
	}
}

// release makes a user nobody to the room, even its last owner.
func (r *room) release(bare string) {
	if r.gone || r.aff[bare] < member {
		return
	}
	after, nicks := map[string]affiliation{bare: none}, nickChanges{bare: ""}
	r.write(r.saveRegistration(after, nicks), func(err error) {
		if err != nil {
			r.env.Log.Error("a removed account is still known to a room", "account", bare, "room", r.jid.String(), "err", err)
		}
		r.takeNicks(nicks)
		r.affiliate(bare, none, item{})
	})
}
