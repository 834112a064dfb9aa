package route

import (
	"slices"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/store"
)

// Remove ends an account of this loop. See feature.Router.
func (r *Router) Remove(owner jid.JID, done func(err error)) {
	r.enter()
	defer r.leave()
	c := feature.Ctx{Env: &r.env, Owner: owner, Account: r.env.Accounts.Get(owner.String())}
	var after []func()
	for _, prepare := range r.removed {
		if fn := prepare(&c); fn != nil {
			after = append(after, fn)
		}
	}
	r.env.Update(func(tx *store.Tx) error {
		if err := r.env.Store.RemoveOwner(tx, owner.String()); err != nil {
			return err
		}
		return r.env.Users.Remove(tx, owner)
	}, func(err error) {
		if err == nil {
			for _, fn := range after {
				fn()
			}
		}
		done(err)
		if err == nil {
			r.KickAll(owner, "the account has been removed")
		}
	})
}

// KickAll ends the sessions of an account that may not have any: text says why.
func (r *Router) KickAll(owner jid.JID, text string) {
	a := r.env.Accounts.Get(owner.String())
	if a == nil {
		return
	}
	for _, s := range slices.Clone(a.Sessions) {
		r.Unbind(s)
		s.Sink.Kick("not-authorized", text)
	}
}
