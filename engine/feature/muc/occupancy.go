package muc

import (
	"bytes"
	"encoding/json"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// occupants are the sessions in rooms that their clients can resume after a
// restart (XEP-0198), by room and full JID: they are still in the room then. A
// room that does not last is in the store while it has some of them.
var occupants = store.NewMap("room-occupant")

// kept is what is stored of a session in a room.
type kept struct {
	Life    int64  `json:"life"`  // of the server, in which it was stored
	Since   uint64 `json:"since"` // when it entered, as the number of a message
	Nick    string `json:"nick"`
	Role    role   `json:"role"`
	Content string `json:"content,omitempty"`
	Lang    string `json:"lang,omitempty"`
}

// seated is one of them.
type seated struct {
	full string
	kept
}

// absence is what a session misses that is not back after a restart: it waits
// for its client as long as the session does.
type absence struct {
	missed [][]byte // stanzas without an address
	bytes  int
	over   bool // it was too much
}

// keep has it stored where o sits.
func (r *room) keep(o *occupant) {
	var full []string
	for st := range o.seats() {
		if st.lasting {
			full = append(full, st.jid.String())
		}
	}
	if len(full) == 0 || r.gone {
		return
	}
	look := o.look.Value()
	k := kept{r.f.life, r.keeper().clock.Next(r.env.Now()), o.nick, o.role, look.content, look.lang}
	name := r.jid.String()
	put := func(tx *store.Tx) error {
		for _, j := range full {
			if err := putKept(tx, name, j, k); err != nil {
				return err
			}
		}
		return nil
	}
	if !r.stored {
		r.keepRoom(put)
		return
	}
	r.env.Update(put, r.unkept)
}

// putKept stores where a session sits; it has entered when it was stored first.
func putKept(tx *store.Tx, room, full string, k kept) error {
	var before kept
	if v := occupants.Get(tx, room, full); v != nil && json.Unmarshal(v, &before) == nil {
		k.Since = before.Since
	}
	v, err := json.Marshal(k)
	if err != nil {
		return err
	}
	return occupants.Put(tx, room, full, v)
}

// keepRoom stores a room that does not last because of who is in it.
func (r *room) keepRoom(put func(tx *store.Tx) error) {
	save := r.save(r.set, r.subj, r.locked, r.aff)
	r.stored = true
	r.write(func(tx *store.Tx) error {
		if err := save(tx); err != nil {
			return err
		}
		return put(tx)
	}, func(err error) {
		if err != nil {
			r.stored = false
			r.unkept(err)
			return
		}
		r.f.dir.remove(r.jid.String())
	})
}

// unkept says that something of occupants could not be stored: after a restart
// they have to enter again.
func (r *room) unkept(err error) {
	if err != nil {
		r.env.Log.Warn("who is in a room could not be stored", "room", r.jid.String(), "err", err)
	}
}

// unkeep forgets the seat of a session that leaves.
func (r *room) unkeep(st *seat) {
	delete(r.absent, st)
	delete(r.before, st)
	if !st.lasting {
		return
	}
	if r.lasts--; r.gone {
		return
	}
	name, full := r.jid.String(), st.jid.String()
	r.env.Update(func(tx *store.Tx) error { return occupants.Delete(tx, name, full) }, r.unkept)
}

// lasting reports whether there is somebody here who is stored.
func (r *room) lasting() bool { return r.lasts > 0 }

// resumable notes that a session may come back after a restart.
func (r *room) resumable(st *seat) {
	if !st.lasting {
		st.lasting = true
		r.lasts++
	}
}

// vanish ends a room that was in the store only for those who were in it. What
// comes meanwhile waits, and finds another room.
func (r *room) vanish() {
	r.line = &line{loading: true}
	r.write(r.erase(), func(err error) {
		r.erasing, r.stored = false, err != nil
		if err != nil {
			r.env.Log.Warn("a room that nobody is in could not be removed", "room", r.jid.String(), "err", err)
		}
		l := r.line
		r.line, r.gone = l, true
		r.forget()
		l.loading = false
		r.advance()
	})
}

// eachKept calls fn for the sessions that are stored of a room.
func eachKept(tx *store.Tx, room string, fn func(full string, k kept)) error {
	return occupants.Each(tx, room, func(full string, v []byte) error {
		var k kept
		if json.Unmarshal(v, &k) == nil && k.Role <= moderator {
			fn(full, k)
		}
		return nil
	})
}

// restore seats who was in the room before the restart, and is away.
func (r *room) restore(before []seated) {
	if len(before) == 0 || r.keeper().swept {
		return
	}
	r.absent = make(map[*seat]*absence)
	for _, k := range before {
		j, err := jid.Parse(k.full)
		if err != nil || r.named(k.Nick) != nil && r.named(k.Nick).bare() != j.Bare() {
			continue
		}
		o := r.named(k.Nick)
		if o == nil {
			o = &occupant{standing: standing{k.Role, r.affiliation(j)}, nick: k.Nick, id: r.occupantID(j)}
		}
		o.shows([]byte(k.Content), []byte(k.Lang))
		st := r.sit(o, j)
		r.resumable(st)
		st.away = true
		occupancy.Add(r.env.Shard(), 1)
		r.absent[st] = new(absence)
	}
}

// reach yields a session that is here, and keeps b for one that is not back.
func (r *room) reach(st *seat, b []byte, yield func(jid.JID)) {
	if !st.away {
		yield(st.jid)
		return
	}
	a, lim := r.absent[st], &r.env.Config.Limits
	if a.bytes += len(b); a.over || a.bytes > int(lim.ResumeBytes) || len(a.missed) >= lim.ResumeStanzas {
		a.over, a.missed = true, nil
		return
	}
	if !bytes.Equal(r.copy, b) { // many miss the same
		r.copy = bytes.Clone(b)
	}
	a.missed = append(a.missed, r.copy)
}

// thaw tells the rooms that a session was in before a restart that it is back.
// That keeps its place before what the session sends.
func (f *service) thaw(c *feature.Ctx, _ []byte) {
	full, loops := c.Session.JID, c.Loop.Group()
	heard := f.lastHeard(c.Store.Archive(), c.Stored)
	for _, to := range c.Session.DirectedTo() {
		j, err := jid.Parse(to)
		if err != nil || f.hosts[j.Domain()] == "" {
			continue
		}
		home, last := loops.For(j.BareString()), heard[j.BareString()]
		c.Loop.Call(home, func() {
			e := f.keepers[home.Index].env
			e.Router.Run(func() { f.back(e, j.Bare(), full, last) })
		})
	}
}

// back gives a session that is back what it has missed; heard is the last message
// that was stored for it before the restart.
func (f *service) back(e *feature.Env, address, full jid.JID, heard uint64) {
	r, _ := f.find(e, address)
	if r == nil {
		return
	}
	defer r.rest()
	st := r.seat(full)
	if st == nil || !st.away {
		return
	}
	a := r.absent[st]
	delete(r.absent, st)
	st.away = false
	if a.over {
		r.leave(st, &item{codes: []int{333}})
		return
	}
	returned.Add(e.Shard(), 1)
	r.replay(st, heard)
	if said := r.saidBefore(st); len(said) > 0 {
		if r.before == nil {
			r.before = make(map[*seat]map[string]bool)
		}
		r.before[st] = said
	}
	r.keep(st.occupant)
	for _, b := range a.missed {
		r.sendTo(st, b)
	}
}

// replaced takes out the seat of a session that did not come back: another one
// has its name now.
func (r *room) replaced(s *stanza.Stanza) {
	if len(r.absent) == 0 || s.Type == stanza.Error || s.Kind == stanza.IQ && !s.Request() {
		return // the server answers for who is away
	}
	if st := r.seat(s.From); st != nil && st.away {
		r.ghost(st)
	}
}

// broken takes out a session that answers the presence of others with an error
// (§11.1).
func (r *room) broken(s *stanza.Stanza) {
	if st := r.seat(s.From); st != nil {
		r.ghost(st)
	}
}

// ghost takes out a session that is no more, without a word to itself.
func (r *room) ghost(st *seat) {
	ghosts.Add(r.env.Shard(), 1)
	r.leave(st, &item{codes: []int{333}})
}
