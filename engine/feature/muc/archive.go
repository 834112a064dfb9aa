package muc

import (
	"bytes"

	"meerkat/engine/archive"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// archives reports whether the room keeps what is said (XEP-0313 §6.1.2): a room
// that lasts, and whose owner wants it. What was said in another one goes with it.
func (r *room) archives() bool {
	return r.stored && r.set.Persistent && r.set.Archive && !r.erasing && r.env.Config.Archive.Enabled
}

// hasArchive reports whether there may be something in the archive.
func (r *room) hasArchive() bool { return r.stored && r.set.Persistent }

func (r *room) keeper() *keeper { return r.f.keeper(r.env) }

// source is the room's archive.
func (r *room) source() archive.Source {
	cfg := &r.env.Config.Archive
	return archive.Source{
		Archive: r.keeper().archive, Owner: r.jid.String(),
		Oldest: archive.Oldest(cfg, r.f.hosts[r.jid.Domain()], r.env.Now()), Page: cfg.Page,
	}
}

// archive has message it of st kept.
func (r *room) archive(c *feature.Ctx, it *saying, st *seat) {
	k := r.keeper()
	k.row = r.appendRow(k.row[:0], it.b, st)
	if r.lasts > 0 {
		k.mark(r)
	}
	who := r.jid.String()
	if st != nil {
		who = string(r.address(st.occupant))
	}
	k.add(archive.PoolOf(&c.Config.Archive, r.f.hosts[r.jid.Domain()]), r.jid.String(), it, store.Tag(who), k.row)
}

// appendRow appends message b as it is archived: with who has said it at its end,
// which XEP-0313 §6.1.2 shows to who may know that.
func (r *room) appendRow(dst, b []byte, st *seat) []byte {
	end := bytes.LastIndex(b, []byte("</")) // a message has a stanza-id at least
	dst = append(dst, b[:end]...)
	if st != nil {
		var x xml.Builder
		x.Reset(dst, stanza.Client).Start("x", userSpace).Start("item", "").
			Attr("affiliation", st.aff.String()).Attr("role", st.role.String()).Attr("jid", st.jid.String())
		dst = x.End().End().Bytes()
	}
	return append(dst, b[end:]...)
}

// speaker is how a row says who has said it. Messages of occupants have no such
// element (rule 17), and text has no "<".
const speaker = "<x xmlns='" + userSpace + "'><item "

// anonymous returns a row without who has said it.
func anonymous(row []byte) []byte {
	i := bytes.LastIndex(row, []byte(speaker))
	end := bytes.LastIndex(row, []byte("</"))
	if i < 0 || i > end {
		return row
	}
	return append(row[:i:i], row[end:]...)
}

// speakerOf returns who has said a row: the element of its end.
func speakerOf(e xml.Elem) jid.JID {
	j, _ := jid.Parse(string(e.Child("x", userSpace).Child("item", userSpace).Attr("jid")))
	return j
}

// archiveIQ answers what is asked of the archive (XEP-0313 §4, §5).
func (r *room) archiveIQ(c *feature.Ctx, s *stanza.Stanza) {
	set, pl := s.Type == stanza.Set, s.Payload()
	cond := r.mayRead(s.From)
	if cond != stanza.OK {
		refuse(c, s, cond)
		return
	}
	switch {
	case pl.Is("query", archive.Space) && set:
		r.queryArchive(c, s)
	case pl.Is("query", archive.Space):
		archive.Fields(c, s)
	case pl.Is("metadata", archive.Space) && !set:
		r.tellEnds(c, s)
	default:
		refuse(c, s, stanza.ServiceUnavailable)
	}
}

// mayRead judges who wants to read the archive: who may enter (XEP-0313 §6.1.2);
// where a password is needed for that, members and who is here.
func (r *room) mayRead(who jid.JID) stanza.Condition {
	a := r.affiliation(who)
	switch {
	case r.locked && a != owner:
		return stanza.ItemNotFound
	case !r.hasArchive():
		return stanza.ServiceUnavailable
	case a == outcast, r.set.MembersOnly && a < member,
		r.set.Protected && a < member && len(r.of(who.BareString())) == 0:
		return stanza.Forbidden
	}
	return stanza.OK
}

// seesSpeakers reports whether who may know who has said what (§5.1, §5.2).
func (r *room) seesSpeakers(who jid.JID) bool {
	by := r.standingOf(who)
	return r.set.Whois || by.role == moderator || by.aff >= admin
}

// queryArchive sends a page, and then says that it is over.
func (r *room) queryArchive(c *feature.Ctx, s *stanza.Stanza) {
	queries.Add(c.Shard(), 1)
	src := r.source()
	l, cond := src.Read(s.Payload())
	if cond != stanza.OK {
		refuse(c, s, cond)
		return
	}
	p := &archive.Page{Source: src, To: s.From.Clone().String(), Filter: l}
	r.restrict(p, r.seesSpeakers(s.From))
	env, to, req := c.Env, s.From.Clone(), c.Later(s)
	env.WhenSettled(func() { // what came before the query is in its answer
		var cond stanza.Condition
		readArchive(env, req, func(tx *store.Tx) (err error) {
			cond, err = p.Make(tx)
			return err
		}, func() {
			if cond != stanza.OK {
				req.Fail(cond, "")
				return
			}
			p.Send(func(b []byte) { env.Router.Send(to, b) })
			shown.Add(env.Shard(), uint64(p.Len()))
			req.Result(p.Fin)
		})
	})
}

// restrict has p show tombstones, and who has said what only to who may know.
func (r *room) restrict(p *archive.Page, seesAll bool) {
	name := r.jid.String()
	p.Tag = func(with jid.JID) (uint32, bool) {
		return store.Tag(with.String()), with.IsFull() && with.BareString() == name
	}
	p.With = func(e xml.Elem, with jid.JID) bool {
		switch {
		case with.BareString() == name:
			return with.IsBare() || string(e.Attr("from")) == with.String()
		case !seesAll:
			return false
		}
		who := speakerOf(e)
		return who == with || with.IsBare() && who.Bare() == with
	}
	p.Edit = func(tx *store.Tx, seq uint64, b []byte) []byte {
		if t := tombstones.Get(tx, name, seqKey(seq)); t != nil {
			b = t
		}
		if b != nil && !seesAll {
			b = anonymous(b)
		}
		return b
	}
}

// readArchive runs fn off the loop with a transaction, and then done on the loop;
// or it answers req with why not.
func readArchive(e *feature.Env, req *feature.Request, fn func(tx *store.Tx) error, done func()) {
	var err error
	ok := e.Loop.Work(func() { err = e.Store.View(fn) }, func() {
		e.Router.Run(func() {
			if err != nil {
				req.Error(err)
				return
			}
			done()
		})
	})
	if !ok {
		req.Fail(stanza.ResourceConstraint, "")
	}
}

// tellEnds says where the archive begins and ends.
func (r *room) tellEnds(c *feature.Ctx, s *stanza.Stanza) {
	src, env, req := r.source(), c.Env, c.Later(s)
	env.WhenSettled(func() {
		var first, last uint64
		readArchive(env, req, func(tx *store.Tx) (err error) {
			first, last, err = src.Ends(tx)
			return err
		}, func() {
			req.Result(func(b *xml.Builder) { src.AppendEnds(b, first, last) })
		})
	})
}

// warm begins to read what was said before in a room that has just come into
// memory; whatever comes meanwhile waits.
func (r *room) warm() {
	r.cold = false
	cfg, src := &r.env.Config.Rooms, r.source()
	limit := min(cfg.History, r.set.History)
	if limit == 0 {
		return
	}
	if r.line == nil {
		r.line = new(line)
	}
	var past history
	ok := r.env.Loop.Work(func() { past = readHistory(r.env, &src, limit) }, func() {
		r.env.Router.Run(func() {
			for _, m := range past.said {
				r.past.keep(m.b, m.seq, cfg)
			}
			r.line.loading = false
			r.advance()
		})
	})
	if r.line.loading = ok; !ok && len(r.line.said) == 0 {
		r.line = nil // too much to do: the room begins without
	}
}

// readHistory reads the last messages with a body, the oldest first.
func readHistory(e *feature.Env, src *archive.Source, limit int) (h history) {
	const most = 1000 // rows that are looked at
	err := e.Store.View(func(tx *store.Tx) error {
		rows, err := src.Archive.Read(tx, src.Owner)
		if err != nil {
			return err
		}
		end := rows.Len()
		for i := end - 1; i >= max(rows.Search(src.Oldest), end-most) && len(h.said) < limit; i-- {
			v, err := rows.Value(i)
			if err != nil {
				return err
			}
			seq, _ := rows.At(i)
			if v != nil && tombstones.Get(tx, src.Owner, seqKey(seq)) == nil && bytes.Contains(v, []byte("<body")) {
				h.said = append(h.said, said{seq, bytes.Clone(anonymous(v))})
			}
		}
		return nil
	})
	if err != nil {
		e.Log.Error("what was said in a room cannot be read", "room", src.Owner, "err", err)
	}
	for i, j := 0, len(h.said)-1; i < j; i, j = i+1, j-1 {
		h.said[i], h.said[j] = h.said[j], h.said[i]
	}
	return h
}
