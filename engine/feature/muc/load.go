package muc

import (
	"encoding/json"
	"fmt"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/store"
)

// storedRoom is what the store has of a room, but for what was said.
type storedRoom struct {
	record
	aff    map[string]affiliation
	nicks  nickChanges
	before []seated // who was in it before the restart
	mark   uint64   // see settledMarks
}

// load makes the stored room of that address one in memory; nil if there is
// none. It reports false if the room is there but cannot be read: nobody may then
// enter it, or make another one in its place.
func (f *service) load(e *feature.Env, j jid.JID) (r *room, ok bool) {
	var in *storedRoom
	e.View(func(tx *store.Tx) {
		var err error
		if in, err = f.read(tx, j.String(), !f.keeper(e).swept); err != nil {
			e.Log.Error("a stored room cannot be read", "room", j.String(), "err", err)
		}
		ok = err == nil
	})
	if !ok || in == nil {
		return nil, ok
	}
	r = f.newRoom(e, j)
	r.stored, r.cold, r.locked = true, true, in.Locked
	r.set, r.subj, r.aff = in.Settings, in.Subject, in.aff
	copy(r.key[:], in.Key)
	r.takeNicks(in.nicks)
	r.restore(in.before)
	if in.mark != 0 && len(r.absent) > 0 {
		r.settled = in.mark
	}
	return r, true
}

// read reads a room, with those who may still come back if asked for; nil if there
// is none.
func (f *service) read(tx *store.Tx, name string, back bool) (*storedRoom, error) {
	v := records.Get(tx, name)
	if v == nil {
		return nil, nil
	}
	in := &storedRoom{aff: make(map[string]affiliation), nicks: make(nickChanges)}
	if err := json.Unmarshal(v, &in.record); err != nil {
		return nil, err
	}
	err := affiliations.Each(tx, name, func(bare string, v []byte) error {
		if len(v) != 1 || affiliation(int8(v[0])) < outcast || affiliation(int8(v[0])) > owner {
			return fmt.Errorf("%s is of an unknown affiliation", bare)
		}
		in.aff[bare] = affiliation(int8(v[0]))
		return nil
	})
	if err == nil {
		err = reservedNicks.Each(tx, name, func(bare string, v []byte) error {
			in.nicks[bare] = string(v)
			return nil
		})
	}
	if err == nil && back {
		in.mark = readMark(tx, name)
		err = eachKept(tx, name, func(full string, k kept) {
			if k.Life != f.life {
				in.before = append(in.before, seated{full, k})
			}
		})
	}
	return in, err
}
