package muc

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	retractSpace  = "urn:xmpp:message-retract:1"  // XEP-0424
	moderateSpace = "urn:xmpp:message-moderate:1" // XEP-0425
)

// retraction takes a message back: what is shown in its place.
type retraction struct {
	seq    uint64 // of the message
	id     string // of the message that says so
	at     time.Time
	author jid.JID // bare, who must have said it; zero if a moderator takes it back
	by     string  // address of the moderator in the room, "" if it is not here
	byID   string  // XEP-0421
	reason string
}

// retracts looks for a message that takes back another one of the same author
// (XEP-0424 §3.1). It goes to everybody like any other; what it takes back is
// neither shown to who enters later nor in the archive.
func (r *room) retracts(s *stanza.Stanza, st *seat) {
	e := s.Elem.Child("retract", retractSpace)
	seq, ok := r.keeper().archive.Parse(r.jid.String(), string(e.Attr("id")))
	if !ok {
		return
	}
	r.past.drop(seq, st.id.append(nil))
	if !r.hasArchive() {
		return
	}
	re := &retraction{seq: seq, id: string(s.ID), at: r.env.Now(), author: st.jid.Bare()}
	r.env.Update(re.bury(r), func(err error) {
		if err != nil {
			r.env.Log.Error("a retracted message could not be taken from an archive", "room", r.jid.String(), "err", err)
		}
	})
}

// moderate takes back a message of anybody, for a moderator (XEP-0425 §3).
func (r *room) moderate(c *feature.Ctx, s *stanza.Stanza) {
	e, by := s.Payload(), r.standingOf(s.From)
	seq, ok := r.keeper().archive.Parse(r.jid.String(), string(e.Attr("id")))
	switch {
	case by.role < moderator && by.aff < admin:
		refuse(c, s, stanza.Forbidden)
		return
	case !e.Child("retract", retractSpace).OK():
		refuse(c, s, stanza.BadRequest)
		return
	case !ok:
		refuse(c, s, stanza.ItemNotFound)
		return
	}
	re := &retraction{seq: seq, id: newID(), at: c.Now(), reason: string(e.Child("reason", moderateSpace).Text())}
	if st := r.seat(s.From); st != nil {
		re.by, re.byID = string(r.address(st.occupant)), st.id.String()
	}
	req := c.Later(s)
	r.exclusive(func() { r.carryOutRetraction(req, re) })
}

func (r *room) carryOutRetraction(req *feature.Request, re *retraction) {
	if r.gone {
		req.Fail(stanza.ItemNotFound, "")
		return
	}
	var bury func(tx *store.Tx) error
	if r.hasArchive() {
		bury = re.bury(r)
	}
	r.write(bury, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		moderations.Add(r.env.Shard(), 1)
		r.past.drop(re.seq, nil)
		r.announce(re)
		req.Result(nil)
	})
}

// announce tells everybody of a moderator's decision.
func (r *room) announce(re *retraction) {
	k := r.keeper()
	seq := k.clock.Next(r.env.Now())
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("message", "").Attr("type", "groupchat").
		Attr("id", re.id).Attr("from", r.jid.String())
	b.Start("retract", retractSpace).Attr("id", k.archive.Name(r.jid.String(), re.seq))
	re.build(&b)
	b.End().Raw(k.name(r.jid.String(), seq))
	r.say(&feature.Ctx{Env: r.env, Owner: r.jid}, b.End().Bytes(), seq, nil, true, false)
}

// build appends who has taken the message back, and why.
func (re *retraction) build(b *xml.Builder) {
	if re.author.IsZero() {
		b.Start("moderated", moderateSpace).OptAttr("by", re.by)
		if re.byID != "" {
			b.Start("occupant-id", occupantSpace).Attr("id", re.byID).End()
		}
		b.End()
	}
	if re.reason != "" {
		b.Start("reason", "").Text(re.reason).End()
	}
}

// bury returns what puts a tombstone in the place of the message, if that is in
// the archive and the author's (XEP-0424 §4, XEP-0425 §4).
func (re *retraction) bury(r *room) func(tx *store.Tx) error {
	a, name, oldest := r.keeper().archive, r.jid.String(), r.source().Oldest
	return func(tx *store.Tx) error {
		rows, err := a.Read(tx, name)
		if err != nil {
			return err
		}
		i := rows.Search(re.seq)
		if i == rows.Len() {
			return nil
		}
		if seq, _ := rows.At(i); seq != re.seq {
			return nil
		}
		v, err := rows.Value(i)
		if err != nil || v == nil { // it has a tombstone already
			return err
		}
		stone := re.tombstone(v)
		if stone == nil {
			return nil
		}
		if err := errors.Join(forgetTombstones(tx, name, oldest), tombstones.Put(tx, name, seqKey(re.seq), stone)); err != nil {
			return err
		}
		return a.Blank(tx, name, re.seq)
	}
}

// forgetTombstones removes those of messages that are not shown any more.
func forgetTombstones(tx *store.Tx, room string, oldest uint64) error {
	var old []string
	err := tombstones.Each(tx, room, func(key string, _ []byte) error {
		if key >= seqKey(oldest) || len(old) == 100 {
			return store.ErrStop
		}
		old = append(old, key)
		return nil
	})
	for _, key := range old {
		err = errors.Join(err, tombstones.Delete(tx, room, key))
	}
	return err
}

// tombstone returns what is shown in place of a row, nil if that is another's.
func (re *retraction) tombstone(row []byte) []byte {
	var doc xml.Doc
	e, err := doc.Parse(row, stanza.Client)
	if err != nil || !re.author.IsZero() && speakerOf(e).Bare() != re.author {
		return nil
	}
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("message", "").AttrBytes("from", e.Attr("from")).Attr("type", "groupchat")
	b.OptAttr("id", string(e.Attr("id")))
	var own, who []byte
	for ch := e.First(); ch.OK(); ch = ch.Next() {
		switch {
		case ch.Is("occupant-id", occupantSpace), ch.Is("stanza-id", stanzaIDSpace):
			own = ch.AppendTo(own, stanza.Client)
		case ch.Is("x", userSpace):
			who = row[bytes.LastIndex(row, []byte(speaker)):bytes.LastIndex(row, []byte("</"))]
		}
	}
	b.Raw(own)
	b.Start("retracted", retractSpace).OptAttr("id", re.id).Attr("stamp", re.at.UTC().Format("2006-01-02T15:04:05Z"))
	re.build(&b)
	return b.End().Raw(who).End().Bytes()
}

// drop forgets a message, if it has the mark of its author; nil is anybody.
func (h *history) drop(seq uint64, mark []byte) {
	for i := range h.said {
		if h.said[i].seq == seq && bytes.Contains(h.said[i].b, mark) {
			h.size -= len(h.said[i].b)
			h.said = append(h.said[:i:i], h.said[i+1:]...)
			return
		}
	}
}

// newID is for a message of the room's own.
func newID() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
