package sm

import (
	"bytes"
	"encoding/binary"
	"errors"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/store"
)

// stanzas are what the clients of sessions that can be resumed have not
// acknowledged, so that they can be resumed after a restart as well: by the number
// of the stanza. What else belongs to such a session is in feature.Sessions, a row,
// and in what feature.Handled knows. Owner is the bare JID.
var stanzas = store.NewQueue("sm-queue", feature.Sessions)

// rowVersion is the first byte of a row.
const rowVersion = 1

var errRow = errors.New("sm: a stored session is damaged")

// row is a stored session.
type row struct {
	token      []byte
	max        uint32
	resource   string
	lang       string
	priority   int8
	interested bool
	presence   []byte
	directed   []string
	frozen     map[string][]byte // by feature
}

// appendRow appends the row of k's session.
func (f *Feature) appendRow(b []byte, k *keeper) []byte {
	s := k.sess
	b = append(b, rowVersion)
	b = store.AppendField(b, k.token[:])
	b = binary.AppendUvarint(b, uint64(k.max))
	b = store.AppendField(b, s.JID.Resource())
	b = store.AppendField(b, s.Lang)
	b = append(b, byte(s.Priority), boolByte(s.Interested))
	b = store.AppendField(b, s.Presence)
	to := s.DirectedTo()
	b = binary.AppendUvarint(b, uint64(len(to)))
	for _, j := range to {
		b = store.AppendField(b, j)
	}
	for i := range f.freezers {
		if part := f.freezers[i].Freeze(s, nil); len(part) > 0 {
			b = store.AppendField(b, f.freezers[i].Name)
			b = store.AppendField(b, part)
		}
	}
	return b
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// readRow reads a row. What it returns is its own.
func readRow(v []byte) (w row, err error) {
	r := store.Fields{Rest: bytes.Clone(v)}
	if r.Byte() != rowVersion {
		return w, errRow
	}
	w.token = r.Bytes()
	w.max = uint32(r.Uint())
	w.resource, w.lang = r.Text(), r.Text()
	w.priority, w.interested = int8(r.Byte()), r.Byte() != 0
	w.presence = r.Bytes()
	for n := r.Uint(); n > 0 && !r.Bad; n-- {
		w.directed = append(w.directed, r.Text())
	}
	w.frozen = make(map[string][]byte)
	for len(r.Rest) > 0 && !r.Bad {
		name := r.Text()
		w.frozen[name] = r.Bytes()
	}
	if r.Bad {
		return w, errRow
	}
	return w, nil
}

// apply gives a session what its row says, but for its presence: that is
// the presence feature's to bring back.
func (w *row) apply(s *account.Session) {
	s.Lang, s.Interested = w.lang, w.interested
	for _, to := range w.directed {
		s.Direct(to)
	}
}

// remove removes what a session has in the store.
func remove(tx *store.Tx, owner string, id uint64) error {
	return errors.Join(feature.Sessions.Delete(tx, owner, store.QueueKey(id)),
		feature.DropHandled(tx, owner, id), stanzas.Drop(tx, owner, id))
}
