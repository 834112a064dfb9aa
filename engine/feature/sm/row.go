package sm

import (
	"encoding/binary"
	"errors"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/store"
)

// What a session that can be resumed has in the store, so that it can be resumed
// after a restart as well. Owner is the bare JID.
var (
	sessions = store.NewMap("sm")       // by session: a row
	counts   = store.NewMap("sm-h")     // by session: how many stanzas of the client's are acknowledged
	stanzas  = store.NewMap("sm-queue") // by session and number: what its client has not acknowledged
)

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

// key is a session's in the store.
func key(id uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id)
	return string(b[:])
}

// stanzaKey is a stanza's in the store; n is not modulo anything.
func stanzaKey(id, n uint64) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], id)
	binary.BigEndian.PutUint64(b[8:], n)
	return string(b[:])
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
	err := errors.Join(sessions.Delete(tx, owner, key(id)), counts.Delete(tx, owner, key(id)),
		feature.ForgetAllHandled(tx, owner, id))
	if err != nil {
		return err
	}
	return trim(tx, owner, id, ^uint64(0))
}

// trim removes the stanzas of a session up to a number.
func trim(tx *store.Tx, owner string, id, upTo uint64) error {
	var gone []string
	err := eachStanza(tx, owner, id, func(k string, n uint64, _ []byte) error {
		if n > upTo {
			return store.ErrStop
		}
		gone = append(gone, k)
		return nil
	})
	for _, k := range gone {
		err = errors.Join(err, stanzas.Delete(tx, owner, k))
	}
	return err
}

// eachStanza calls fn for the stored stanzas of a session, in order.
func eachStanza(tx *store.Tx, owner string, id uint64, fn func(k string, n uint64, v []byte) error) error {
	prefix := key(id)
	return stanzas.EachFrom(tx, owner, prefix, func(k string, v []byte) error {
		if len(k) != 16 || k[:8] != prefix {
			return store.ErrStop
		}
		return fn(k, binary.BigEndian.Uint64([]byte(k[8:])), v)
	})
}
