package mam

import (
	"time"

	"meerkat/engine/account"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
)

const (
	// resumable is how long after a start a client may send again what nobody
	// acknowledged before it (XEP-0198 §5).
	resumable = 15 * time.Minute
	// unacknowledged bounds how far back that can be.
	unacknowledged = 1000
)

// known reports whether s is in the archive already, and gives it the id it has
// there: a session that was resumed after a crash sends what may have been
// committed and was not acknowledged. Only that is looked up.
func (w *work) known(c *feature.Ctx, s *stanza.Stanza, peer jid.JID) bool {
	session := c.Cause().Session
	if c.Session != nil {
		session = c.Session.ID
	}
	start := w.f.started
	if session == 0 || session>>32 >= w.f.born && session&account.Thawed == 0 || c.Now().Sub(start) > resumable || len(s.ID) == 0 {
		return false
	}
	seq := uint64(0)
	c.View(func(tx *store.Tx) { seq = w.find(tx, c.Owner.String(), s, peer) })
	if seq != 0 {
		w.tail = w.f.appendID(append(w.tail[:0], s.Tail...), c.Owner.String(), seq)
		s.Tail = w.tail
	}
	return seq != 0
}

// find looks for s among the last rows of owner from before the start.
func (w *work) find(tx *store.Tx, owner string, s *stanza.Stanza, peer jid.JID) (seq uint64) {
	r, err := w.f.archive.Read(tx, owner)
	if err != nil {
		return 0
	}
	end := r.Len()
	from := max(0, end-unacknowledged, r.Search(uint64(w.f.started.Add(-resumable).UnixMicro())))
	r.Tagged(store.Tag(peer.BareString()), end, from, func(i int) bool {
		v, err := r.Value(i)
		if err != nil || v == nil {
			return err == nil
		}
		e, err := w.doc.Parse(v, stanza.Client)
		if err == nil && string(e.Attr("id")) == string(s.ID) && string(e.Attr("from")) == s.From.String() && string(e.Attr("to")) == s.To.String() {
			seq, _ = r.At(i)
		}
		return seq == 0
	})
	return seq
}
