package muc

import (
	"crypto/hmac"
	"crypto/sha256"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
)

// room is a room in memory. All of it is touched on its loop only.
type room struct {
	f    *service
	env  *feature.Env
	jid  jid.JID
	set  settings
	key  [16]byte               // for occupant ids
	aff  map[string]affiliation // by bare JID; none is not there
	subj subject
	card []byte // vcard-temp, if it is not in the store

	locked bool // made, not configured yet (XEP-0045 §10.1.3)
	stored bool // what is in the store is this room
	gone   bool // destroyed

	crowd
	past history
	line *line // nil: nothing waits

	reserved map[string]string // nicks, with the bare JIDs of whose they are
	cold     bool              // what was said before is in the archive, not in past

	erasing bool // what is stored is being removed

	lasts   int    // seats that are
	settled uint64 // up to this message sessions have stored all that they keep
	told    uint64 // the last message that went out
	born    uint64 // what was said before that was said before the room came into memory

	absent map[*seat]*absence        // who is not back after a restart; nil if nobody
	before map[*seat]map[string]bool // ids of what those that are back had said
	copy   []byte                    // what the last of them has missed

	pending int      // updates on their way
	queue   []func() // changes that wait for them
}

func (f *service) newRoom(e *feature.Env, j jid.JID) *room {
	r := &room{f: f, env: e, jid: j.Clone(), aff: make(map[string]affiliation)}
	r.born = f.keeper(e).clock.Next(e.Now())
	r.settled = r.born
	f.loops[e.Shard()][r.jid.String()] = r
	roomsLoaded.Add(e.Shard(), 1)
	return r
}

// find returns the room of that address, from the store if it is not here; nil
// if there is none, false if it cannot be read. Who calls it calls rest
// afterwards.
func (f *service) find(e *feature.Env, j jid.JID) (r *room, ok bool) {
	if r := f.loops[e.Shard()][j.String()]; r != nil {
		return r, true
	}
	return f.load(e, j)
}

// rest lets go of a room that nobody is in: one that lasts stays in the store,
// another one vanishes (§10.1.3, §4.2).
func (r *room) rest() {
	if len(r.list) > 0 || r.pending > 0 || len(r.queue) > 0 || r.line != nil {
		return
	}
	if r.stored && !r.set.Persistent && !r.gone {
		r.vanish()
		return
	}
	r.forget()
}

// forget takes the room out of memory.
func (r *room) forget() {
	rooms := r.f.loops[r.env.Shard()]
	if rooms[r.jid.String()] != r {
		return
	}
	delete(rooms, r.jid.String())
	roomsLoaded.Add(r.env.Shard(), -1)
	if !r.stored {
		r.f.dir.remove(r.jid.String())
	}
	r.gone = true
}

// affiliation returns what a user is to the room.
func (r *room) affiliation(bare jid.JID) affiliation { return r.aff[bare.BareString()] }

// standingOf returns what who, a real address, is in the room.
func (r *room) standingOf(who jid.JID) standing {
	if st := r.seat(who); st != nil {
		return st.standing
	}
	return standing{noRole, r.affiliation(who)}
}

// occupantID is the same for a user as long as there is the room, and tells
// nobody who it is (XEP-0421 §3.1).
func (r *room) occupantID(bare jid.JID) (id occupantID) {
	h := hmac.New(sha256.New, r.key[:])
	h.Write([]byte(bare.BareString()))
	copy(id[:], h.Sum(nil))
	return id
}

// address returns the address of o.
func (r *room) address(o *occupant) []byte { return r.appendAddress(nil, o) }

func (r *room) appendAddress(dst []byte, o *occupant) []byte {
	return append(append(append(dst, r.jid.String()...), '/'), o.nick...)
}

// add seats a session, as the occupant o, which may be new.
func (r *room) add(o *occupant, full jid.JID) *seat {
	occupancy.Add(r.env.Shard(), 1)
	joins.Add(r.env.Shard(), 1)
	return r.sit(o, full)
}

// drop takes one session out, and its occupant with the last one.
func (r *room) drop(st *seat) {
	occupancy.Add(r.env.Shard(), -1)
	r.unkeep(st)
	r.stand(st)
}

// exclusive runs fn once no change is on its way, so that it judges by what is
// stored. fn has to look at gone.
func (r *room) exclusive(fn func()) {
	if r.pending > 0 {
		r.queue = append(r.queue, fn)
		return
	}
	fn()
}

// next runs what waited.
func (r *room) next() {
	for r.pending == 0 && len(r.queue) > 0 {
		fn := r.queue[0]
		r.queue = r.queue[1:]
		fn()
	}
	r.rest()
}
