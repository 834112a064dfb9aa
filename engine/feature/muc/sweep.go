package muc

import (
	"errors"
	"time"

	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/store"
)

// Timeout sweeps a page of the rooms that had somebody in them before the
// restart: who is not back by now is gone.
func (k *keeper) Timeout(*loop.Timer) {
	const page = 100
	var names []string
	n := 0
	k.env.View(func(tx *store.Tx) {
		_ = occupants.Owners(tx, k.from, func(name string) error {
			if n++; n > page {
				return store.ErrStop
			}
			k.from = name + "\x01" // the next one
			if k.env.Loop.Group().For(name) == k.env.Loop {
				names = append(names, name)
			}
			return nil
		})
	})
	k.env.Router.Run(func() {
		for _, name := range names {
			k.sweep(name)
		}
	})
	if k.swept = n <= page; !k.swept {
		k.env.Loop.Set(&k.timer, loop.Tick)
	}
}

// sweep takes out who is not back in a room.
func (k *keeper) sweep(name string) {
	address, err := jid.Parse(name)
	if err != nil {
		return
	}
	r, ok := k.f.find(k.env, address)
	if !ok {
		return
	}
	if r != nil {
		for st := range r.absent {
			r.ghost(st)
		}
		r.before = nil
		r.rest()
	}
	k.env.Update(func(tx *store.Tx) error { return k.f.dropOld(tx, name) }, func(err error) {
		if err != nil {
			k.env.Log.Warn("who was in a room before the restart could not be forgotten", "room", name, "err", err)
		}
	})
}

// dropOld removes what is left of before the restart.
func (f *service) dropOld(tx *store.Tx, room string) error {
	var old []string
	err := eachKept(tx, room, func(full string, k kept) {
		if k.Life != f.life {
			old = append(old, full)
		}
	})
	for _, full := range old {
		err = errors.Join(err, occupants.Delete(tx, room, full))
	}
	return err
}

// grace is how much later than the sessions the rooms look who is back.
const grace = 5 * time.Second
