package sm

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/store"
)

// old is what one loop has to do with the sessions of before the restart: they
// wait as long for their clients as if they had lost their connections when the
// server came up. Nothing of them is in memory.
type old struct {
	f     *Feature
	env   *feature.Env
	timer loop.Timer
	over  bool            // there are none any more
	gone  map[uint64]bool // resumed or ended, and maybe still in the store
	from  string          // of the sweep
}

func newOld(f *Feature, env *feature.Env) *old {
	o := &old{f: f, env: env, gone: make(map[uint64]bool)}
	o.timer.Owner = o
	env.Loop.Set(&o.timer, time.Duration(env.Config.Limits.ResumeTime))
	return o
}

// taken has a session be no old one any more.
func (o *old) taken(id uint64) { o.gone[id] = true }

// find returns the old session of that SM-ID, or nil.
func (o *old) find(owner jid.JID, token string) (z *frozen) {
	return o.first(owner, func(r *row) bool {
		return base64.RawURLEncoding.EncodeToString(r.token) == token
	})
}

// first returns the first old session of owner that is what fn says, or nil.
func (o *old) first(owner jid.JID, fn func(r *row) bool) (z *frozen) {
	if o.over {
		return nil
	}
	o.env.View(func(tx *store.Tx) {
		err := feature.Sessions.Each(tx, owner.String(), func(k string, v []byte) error {
			id := binary.BigEndian.Uint64([]byte(k))
			if o.gone[id] || o.live(owner, id) {
				return nil
			}
			r, err := readRow(v)
			if err != nil || !fn(&r) {
				return err
			}
			if z, err = load(tx, owner, id); err != nil {
				return err
			}
			return store.ErrStop
		})
		if err != nil {
			o.env.Log.Error("sm: stored sessions cannot be read", "account", owner.String(), "err", err)
		}
	})
	return z
}

// live reports whether a session of this life of the server has that id.
func (o *old) live(owner jid.JID, id uint64) bool {
	a := o.env.Accounts.Get(owner.String())
	if a == nil {
		return false
	}
	for _, s := range a.Sessions {
		if s.ID == id {
			return true
		}
	}
	return false
}

// bound ends an old session whose resource is taken by a new one.
func (f *Feature) bound(c *feature.Ctx) {
	o := f.at(c.Env).old
	if k, ok := c.Session.Bottom().(*keeper); ok && k != nil || o.over {
		return // one that has just been thawed
	}
	if z := o.first(c.Owner, func(r *row) bool { return r.resource == c.Session.JID.Resource() }); z != nil {
		o.end(z)
	}
}

// end ends an old session: what its client has not acknowledged goes where it
// goes when a session ends.
func (o *old) end(z *frozen) {
	o.taken(z.id)
	if len(z.token) == 16 {
		o.f.at(o.env).ended.remember(z.token, z.owner.String(), z.h)
	}
	expiries.Add(o.env.Shard(), 1)
	c := &feature.Ctx{Env: o.env, Owner: z.owner, Account: o.env.Accounts.Get(z.owner.String())}
	taken := false
	if c.Account != nil {
		for _, s := range c.Account.Sessions {
			taken = taken || s.Available() && s.Priority >= 0
		}
	}
	o.env.Router.Run(func() {
		for _, it := range z.items {
			handBack(c, it, taken)
		}
	})
	o.env.Loop.Post(func() { // behind what the stanzas have become
		o.f.at(o.env).do(func(tx *store.Tx) error { return remove(tx, z.owner.String(), z.id) }, func(error) {})
	})
}

// page is how many accounts a sweep looks at in one turn.
const page = 100

// Timeout sweeps a page: the old sessions that nobody has resumed end.
func (o *old) Timeout(*loop.Timer) {
	var owners []string
	n := 0
	o.env.View(func(tx *store.Tx) {
		_ = feature.Sessions.Owners(tx, o.from, func(owner string) error {
			if n++; n > page {
				return store.ErrStop
			}
			o.from = owner + "\x01" // the next one
			if o.env.Loop.Group().For(owner) == o.env.Loop {
				owners = append(owners, owner)
			}
			return nil
		})
	})
	for _, owner := range owners {
		o.endAll(owner)
	}
	if n <= page {
		o.over, o.gone = true, nil
		return
	}
	o.env.Loop.Set(&o.timer, loop.Tick)
}

func (o *old) endAll(owner string) {
	j, err := jid.Parse(owner)
	if err != nil {
		return
	}
	for z := o.first(j, func(*row) bool { return true }); z != nil; z = o.first(j, func(*row) bool { return true }) {
		o.end(z)
	}
}
