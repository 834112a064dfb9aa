package sm

import (
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
	b = appendBytes(b, k.token[:])
	b = binary.AppendUvarint(b, uint64(k.max))
	b = appendBytes(b, []byte(s.JID.Resource()))
	b = appendBytes(b, []byte(s.Lang))
	b = append(b, byte(s.Priority), boolByte(s.Interested))
	b = appendBytes(b, s.Presence)
	to := s.DirectedTo()
	b = binary.AppendUvarint(b, uint64(len(to)))
	for _, j := range to {
		b = appendBytes(b, []byte(j))
	}
	for i := range f.freezers {
		if part := f.freezers[i].Freeze(s, nil); len(part) > 0 {
			b = appendBytes(b, []byte(f.freezers[i].Name))
			b = appendBytes(b, part)
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

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// readRow reads a row. What it returns is its own.
func readRow(v []byte) (w row, err error) {
	r := reader{b: append([]byte(nil), v...)}
	if r.byte() != rowVersion {
		return w, errRow
	}
	w.token = r.bytes()
	w.max = uint32(r.number())
	w.resource, w.lang = string(r.bytes()), string(r.bytes())
	w.priority, w.interested = int8(r.byte()), r.byte() != 0
	w.presence = r.bytes()
	for n := r.number(); n > 0 && !r.bad; n-- {
		w.directed = append(w.directed, string(r.bytes()))
	}
	w.frozen = make(map[string][]byte)
	for len(r.b) > 0 && !r.bad {
		name := string(r.bytes())
		w.frozen[name] = r.bytes()
	}
	if r.bad {
		return w, errRow
	}
	return w, nil
}

// reader takes a row apart.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
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
