package muc

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"

	"meerkat/store"
)

// What lasts of a room, by its address: record in JSON; affiliations by bare JID,
// one byte each. By the user's bare JID, roomsOf has the rooms that a user owns,
// and knownIn all in which it is a member or more.
var (
	records      = store.NewDoc("room")
	affiliations = store.NewMap("room-affiliation")
	roomsOf      = store.NewMap("rooms-owned")
	knownIn      = store.NewMap("rooms-known")
	tombstones   = store.NewMap("room-tombstone") // by number of the message: what is shown in its place
)

// record is what is stored of a room besides affiliations.
type record struct {
	Settings settings `json:"settings"`
	Key      []byte   `json:"key"`
	Subject  subject  `json:"subject"`
	Locked   bool     `json:"locked,omitempty"`
}

// seqKey is the number of a message as a key.
func seqKey(seq uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], seq)
	return string(b[:])
}

// newKey is for a new room.
func newKey() (k [16]byte) {
	rand.Read(k[:]) // never fails
	return k
}

// write stores what fn writes and calls done after the commit; at once if fn is
// nil. Meanwhile other changes wait.
func (r *room) write(fn func(tx *store.Tx) error, done func(err error)) {
	if fn == nil {
		done(nil)
		return
	}
	r.pending++
	r.env.Update(fn, func(err error) {
		r.pending--
		done(err)
		r.next()
	})
}

// saveRecord returns what stores the room with these settings and subject.
func (r *room) saveRecord(set settings, subj subject, locked bool) func(tx *store.Tx) error {
	v, err := json.Marshal(record{set, r.key[:], subj, locked})
	name := r.jid.String()
	return func(tx *store.Tx) error {
		if err != nil {
			return err
		}
		return records.Put(tx, name, v)
	}
}

// saveAffiliations returns what stores these, as far as they are of a room.
func (r *room) saveAffiliations(changed map[string]affiliation) func(tx *store.Tx) error {
	name := r.jid.String()
	return func(tx *store.Tx) error {
		for bare, a := range changed {
			if err := putAffiliation(tx, name, bare, a); err != nil {
				return err
			}
		}
		return nil
	}
}

func putAffiliation(tx *store.Tx, room, bare string, a affiliation) (err error) {
	if a == owner {
		err = roomsOf.Put(tx, bare, room, nil)
	} else {
		err = roomsOf.Delete(tx, bare, room)
	}
	if a < member {
		err = errors.Join(err, reservedNicks.Delete(tx, room, bare), knownIn.Delete(tx, bare, room))
	} else {
		err = errors.Join(err, knownIn.Put(tx, bare, room, nil))
	}
	switch {
	case err != nil:
		return err
	case a == none:
		return affiliations.Delete(tx, room, bare)
	}
	return affiliations.Put(tx, room, bare, []byte{byte(a)})
}

// erase removes all that is stored of the room.
func (r *room) erase() func(tx *store.Tx) error {
	name, said := r.jid.String(), r.eraseArchive()
	return func(tx *store.Tx) error {
		users := []string{}
		err := affiliations.Each(tx, name, func(bare string, _ []byte) error { users = append(users, bare); return nil })
		if err != nil {
			return err
		}
		for _, bare := range users {
			if err := errors.Join(roomsOf.Delete(tx, bare, name), knownIn.Delete(tx, bare, name)); err != nil {
				return err
			}
		}
		return errors.Join(affiliations.DeleteAll(tx, name), occupants.DeleteAll(tx, name),
			reservedNicks.DeleteAll(tx, name), cards.Delete(tx, name), said(tx), records.Delete(tx, name))
	}
}

// eraseArchive removes all that was said. Until that is done, or has failed,
// nothing more goes into the archive; the caller resets erasing then.
func (r *room) eraseArchive() func(tx *store.Tx) error {
	name, said := r.jid.String(), r.keeper().archive
	r.keeper().issue() // what was said last is to go as well
	r.erasing = true
	return func(tx *store.Tx) error {
		return errors.Join(tombstones.DeleteAll(tx, name), said.Erase(tx, name), settledMarks.Delete(tx, name))
	}
}

// entry is a line of a list of rooms.
type entry struct{ jid, name string }

// publicRooms lists the stored rooms of a host that may be listed.
func publicRooms(tx *store.Tx, host string) (list []entry) {
	_ = records.Each(tx, func(name string, v []byte) error {
		var rec struct {
			Settings struct {
				Name   string `json:"name"`
				Public bool   `json:"public"`
			} `json:"settings"`
		}
		if !strings.HasSuffix(name, "@"+host) || json.Unmarshal(v, &rec) != nil || !rec.Settings.Public {
			return nil
		}
		list = append(list, entry{name, rec.Settings.Name})
		return nil
	})
	return list
}

// save stores the whole of a room that begins to last.
func (r *room) save(set settings, subj subject, locked bool, all map[string]affiliation) func(tx *store.Tx) error {
	doc, people, nicks, card := r.saveRecord(set, subj, locked), r.saveAffiliations(copyOf(all)), r.saveNicks(r.allNicks()), r.saveCard(r.readCard())
	return func(tx *store.Tx) error {
		return errors.Join(doc(tx), people(tx), nicks(tx), card(tx))
	}
}

func copyOf(m map[string]affiliation) map[string]affiliation {
	c := make(map[string]affiliation, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}
