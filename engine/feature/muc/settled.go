package muc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"time"

	"meerkat/engine/archive"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

// Between the moment when a message is in the archive and that when every session
// that can be resumed has stored it lies a crash now and then. What is behind the
// mark of a room then is what a session may have missed that comes back: the
// archive has it.

// settledMarks are the marks of rooms: a number of a message, big endian.
var settledMarks = store.NewDoc("room-settled")

// mark has r's mark stored with the next update.
func (k *keeper) mark(r *room) {
	if k.marks == nil {
		k.marks = make(map[*room]bool)
	}
	k.marks[r] = true
}

func (k *keeper) takeMarks() map[string]uint64 {
	if len(k.marks) == 0 {
		return nil
	}
	list := make(map[string]uint64, len(k.marks))
	for r := range k.marks {
		if r.stored && !r.erasing {
			list[r.jid.String()] = r.settled
		}
	}
	clear(k.marks)
	return list
}

func saveMarks(tx *store.Tx, marks map[string]uint64) error {
	for name, seq := range marks {
		if err := settledMarks.Put(tx, name, binary.BigEndian.AppendUint64(nil, seq)); err != nil {
			return err
		}
	}
	return nil
}

// settle moves the marks of the rooms of b on once what was said is stored
// everywhere. While somebody is not back after a restart the mark stays: what is
// missed is in memory only.
func (k *keeper) settle(b *batch) {
	var told map[*room]uint64
	for _, it := range b.said {
		if r := it.room; r.lasts > 0 && len(r.absent) == 0 && r.told > r.settled {
			if told == nil {
				told = make(map[*room]uint64)
			}
			told[r] = r.told
		}
	}
	if told == nil {
		return
	}
	k.env.Router.WhenStored(func() {
		for r, seq := range told {
			if seq > r.settled && len(r.absent) == 0 && !r.gone {
				r.settled = seq
				k.mark(r)
			}
		}
		k.env.Join()
	})
}

// readMark returns the mark of a room, 0 if it has none.
func readMark(tx *store.Tx, room string) uint64 {
	if v := settledMarks.Get(tx, room); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// lastHeard returns the last message of each room that is among what was stored
// for a session.
func (f *service) lastHeard(a *store.Archive, stored [][]byte) map[string]uint64 {
	var last map[string]uint64
	const start, between = "<stanza-id xmlns='" + archive.StanzaID + "' by='", "' id='"
	for _, b := range stored {
		i := bytes.LastIndex(b, []byte(start))
		if i < 0 {
			continue
		}
		room, rest, _ := strings.Cut(string(b[i+len(start):]), between)
		id, _, _ := strings.Cut(rest, "'")
		seq, ok := a.Parse(room, id)
		if !ok || !isFrom(b, room) { // others may send the ids of a room as well
			continue
		}
		if last == nil {
			last = make(map[string]uint64)
		}
		last[room] = max(last[room], seq)
	}
	return last
}

// isFrom reports whether a stanza that the server has written is from a room or
// somebody in it.
func isFrom(b []byte, room string) bool {
	tag, _, _ := bytes.Cut(b, []byte(">"))
	from := " from='" + room
	return bytes.Contains(tag, []byte(from+"/")) || bytes.Contains(tag, []byte(from+"'"))
}

// replay gives a session that is back what was archived before the restart and
// did not reach it.
func (r *room) replay(st *seat, heard uint64) {
	if !r.hasArchive() {
		return
	}
	name := r.jid.String()
	r.env.View(func(tx *store.Tx) {
		from := max(r.settled, heard, since(tx, name, st.jid))
		rows, err := r.keeper().archive.Read(tx, name)
		if err != nil {
			r.env.Log.Error("what somebody missed in a room cannot be read", "room", name, "err", err)
			return
		}
		for i := rows.Search(from + 1); i < rows.Len(); i++ {
			seq, _ := rows.At(i)
			v, err := rows.Value(i)
			if seq >= r.born || err != nil {
				return
			}
			if v != nil && tombstones.Get(tx, name, seqKey(seq)) == nil {
				r.sendTo(st, anonymous(bytes.Clone(v)))
				replayed.Add(r.env.Shard(), 1)
			}
		}
	})
}

// Of what was said before a restart, so much may be sent again by who has not
// heard that it was taken.
const (
	unacknowledged = 1000             // messages of all
	resendable     = 15 * time.Minute // before the room came into memory
)

// saidBefore returns the ids of the messages that a session has said before the
// restart: its client sends again what nobody acknowledged (XEP-0198 §5), and some
// of it may be in the archive already.
func (r *room) saidBefore(st *seat) map[string]bool {
	if !r.hasArchive() {
		return nil
	}
	said := make(map[string]bool)
	tag := store.Tag(string(r.address(st.occupant)))
	oldest := uint64(store.TimeOf(r.born).Add(-resendable).UnixMicro())
	r.env.View(func(tx *store.Tx) {
		rows, err := r.keeper().archive.Read(tx, r.jid.String())
		if err != nil {
			return // replay has said so
		}
		end := rows.Search(r.born)
		rows.Tagged(tag, max(0, end-unacknowledged, rows.Search(oldest)), end, func(i int) bool {
			v, err := rows.Value(i)
			if err != nil {
				return false
			}
			if e, err := r.keeper().doc.Parse(v, stanza.Client); err == nil && speakerOf(e) == st.jid {
				said[string(e.Attr("id"))] = true
			}
			return true
		})
	})
	delete(said, "")
	return said
}

// saidAlready reports whether s has been taken before the restart, and is in the
// archive.
func (r *room) saidAlready(st *seat, s *stanza.Stanza) bool {
	said := r.before[st]
	if !said[string(s.ID)] {
		return false
	}
	delete(said, string(s.ID))
	return true
}

// since returns the time, as a number of a message, when a session entered.
func since(tx *store.Tx, room string, full jid.JID) (seq uint64) {
	var k kept
	if v := occupants.Get(tx, room, full.String()); v != nil && json.Unmarshal(v, &k) == nil {
		return k.Since
	}
	return 0
}
