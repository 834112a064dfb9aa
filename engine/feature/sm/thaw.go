package sm

import (
	"bytes"
	"errors"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// frozen is a session of before the restart, as the store has it.
type frozen struct {
	row
	owner jid.JID
	id    uint64
	h     uint32
	items []item   // not acknowledged, oldest first
	n     []uint64 // their numbers
	done  map[uint32]uint64
}

// load reads a session with all that belongs to it.
func load(tx *store.Tx, owner jid.JID, id uint64) (z *frozen, err error) {
	o := owner.String()
	z = &frozen{owner: owner, id: id}
	z.h, z.done = feature.Handled(tx, o, id)
	if z.row, err = readRow(feature.Sessions.Get(tx, o, store.QueueKey(id))); err != nil {
		return nil, err
	}
	return z, stanzas.Each(tx, o, id, func(n uint64, v []byte) error {
		it, ok := itemOf(bytes.Clone(v))
		if !ok {
			return errRow
		}
		z.items, z.n = append(z.items, it), append(z.n, n)
		return nil
	})
}

// thaw resumes a session of before the restart.
func (f *Feature) thaw(r *feature.Resumption, id string, h uint32) {
	o := f.at(r.Env).old
	z := o.find(r.Owner, id)
	if z == nil {
		f.unknown(r, id)
		return
	}
	o.taken(z.id)
	k, cond := f.rebuild(r, z, h)
	if cond != stanza.OK {
		f.refuse(r, cond)
		return
	}
	k.attach(r.Stream)
	last := k.sent
	k.restore(z, func(err error) {
		k.safe = max(k.safe, last)
		if err != nil {
			k.state |= lossy
		}
		r.Done(k.sess, k.resumed(z.h), k.start)
	})
	f.wake(k, z) // at once: what was stored for it goes before what comes now
}

// rebuild makes the session anew, with what the client does not have.
func (f *Feature) rebuild(r *feature.Resumption, z *frozen, h uint32) (*keeper, stanza.Condition) {
	k := &keeper{env: r.Env, b: f.at(r.Env).batch, max: z.max, state: over} // until it has its session
	copy(k.token[:], z.token)
	s, cond := r.Router.Bind(z.owner, z.resource, k)
	if cond != stanza.OK {
		return nil, cond
	}
	z.apply(s)
	s.ID |= account.Thawed
	s.Lasting, s.Received, s.Done = true, z.h, z.done
	k.sess, k.state = s, 0
	k.acked = uint64(h)
	k.sent = k.acked
	for i, it := range z.items {
		if int32(uint32(z.n[i])-h) > 0 {
			k.queue.push(it)
			k.sent++
		}
	}
	k.rewind()
	k.stored, k.trimmed = k.sent, k.acked
	enabled.Add(r.Shard(), 1)
	detached.Add(r.Shard(), 1) // until it is attached
	return k, stanza.OK
}

// restore writes what k has in the place of what z had.
func (k *keeper) restore(z *frozen, done func(error)) {
	owner, id, acked := k.owner(), k.sess.ID, k.acked
	var list []item
	k.queue.each(func(it item) {
		it.stanza = append([]byte(nil), it.stanza...)
		list = append(list, it)
	})
	row := k.b.f.appendRow(nil, k)
	handled := make(map[uint32]uint64, len(z.done))
	for n, print := range z.done {
		handled[n] = print
	}
	k.b.do(func(tx *store.Tx) error {
		err := errors.Join(remove(tx, owner, z.id), feature.Sessions.Put(tx, owner, store.QueueKey(id), row),
			feature.PutHandled(tx, owner, id, z.h, handled))
		for i, it := range list {
			err = errors.Join(err, stanzas.Keep(tx, owner, id, acked+1+uint64(i), value(it)))
		}
		return err
	}, done)
}

// wake brings back what the features knew of the session, and its presence.
func (f *Feature) wake(k *keeper, z *frozen) {
	k.sess.Presence, k.sess.Priority = z.presence, z.priority
	if len(z.presence) == 0 {
		k.sess.Presence = nil
	}
	c := &feature.Ctx{Env: k.env, Owner: k.sess.Account.JID, Account: k.sess.Account, Session: k.sess}
	for _, it := range z.items {
		c.Stored = append(c.Stored, it.stanza)
	}
	k.env.Router.Run(func() {
		for i := range f.thawers {
			f.thawers[i].Thaw(c, z.frozen[f.thawers[i].Name])
		}
	})
}
