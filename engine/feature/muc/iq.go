package muc

import (
	"bytes"
	"strconv"

	"meerkat/engine/archive"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// handleIQ answers for the room, and hands on what is for an occupant.
func (r *room) handleIQ(c *feature.Ctx, s *stanza.Stanza) {
	if s.To.IsFull() {
		r.occupantIQ(c, s)
		return
	}
	if !s.Request() {
		return
	}
	set, pl := s.Type == stanza.Set, s.Payload()
	switch {
	case pl.Is("query", adminSpace) && set:
		r.change(c, s)
	case pl.Is("query", adminSpace):
		r.tellList(c, s)
	case pl.Is("query", ownerSpace) && set:
		r.own(c, s)
	case pl.Is("query", ownerSpace):
		r.tellConfig(c, s)
	case pl.Is("query", infoSpace) && !set:
		r.tellInfo(c, s)
	case pl.Is("query", itemsSpace) && !set:
		r.tellItems(c, s)
	case pl.Is("query", registerSpace) && set:
		r.register(c, s)
	case pl.Is("query", registerSpace):
		r.tellRegistration(c, s)
	case pl.Is("moderate", moderateSpace) && set:
		r.moderate(c, s)
	case string(pl.Space()) == archive.Space:
		r.archiveIQ(c, s)
	case pl.Is("vCard", cardSpace):
		r.cardIQ(c, s)
	case pl.Is("ping", pingSpace) && !set:
		c.Result(s, nil)
	default:
		refuse(c, s, stanza.ServiceUnavailable)
	}
}

// occupantIQ is from one occupant to another (§17.4), or a ping of who asks
// whether it is still here (XEP-0410 §3).
func (r *room) occupantIQ(c *feature.Ctx, s *stanza.Stanza) {
	to := r.named(s.To.Resource())
	if !s.Request() {
		r.relayAnswer(s, to)
		return
	}
	st := r.seat(s.From)
	switch {
	case st == nil && (s.Payload().Is("query", infoSpace) || s.Payload().Is("query", itemsSpace)):
		refuse(c, s, stanza.BadRequest) // §6.6
	case st == nil:
		refuse(c, s, stanza.NotAcceptable)
	case to == nil:
		refuse(c, s, stanza.ItemNotFound)
	case to == st.occupant && s.Payload().Is("ping", pingSpace):
		c.Result(s, nil)
	default:
		r.relayRequest(s, st, to)
	}
}

// relayRequest hands a request to the session that came last, or, where the
// account answers for its sessions, to the account. The id says who asked.
func (r *room) relayRequest(s *stanza.Stanza, from *seat, to *occupant) {
	target := to.last.jid
	switch string(s.Payload().Space()) {
	case "vcard-temp", "http://jabber.org/protocol/pubsub":
		target = target.Bare()
	}
	id := strconv.AppendUint(nil, uint64(from.serial), 10)
	id = append(append(id, ':'), s.ID...)
	r.relayIQ(s, from.occupant, target, id)
}

// relayAnswer takes an answer back to who asked.
func (r *room) relayAnswer(s *stanza.Stanza, to *occupant) {
	number, id, ok := bytes.Cut(s.ID, []byte{':'})
	serial, err := strconv.ParseUint(string(number), 10, 32)
	from := r.answerer(s.From)
	if !ok || err != nil || to == nil || from == nil || len(id) == 0 {
		return
	}
	for st := range to.seats() {
		if st.serial == uint32(serial) {
			r.relayIQ(s, from, st.jid, id)
		}
	}
}

// answerer finds the occupant that who, a session or an account, answers for.
func (r *room) answerer(who jid.JID) *occupant {
	if st := r.seat(who); st != nil {
		return st.occupant
	}
	if list := r.of(who.String()); len(list) > 0 {
		return list[0]
	}
	return nil
}

func (r *room) relayIQ(s *stanza.Stanza, from *occupant, to jid.JID, id []byte) {
	ed := xml.Edit{From: r.address(from), To: []byte(to.String()), ID: id}
	b := s.Elem.AppendEdited(r.env.Scratch(), stanza.Client, &ed)
	r.env.Router.Send(to, b)
	r.env.Keep(b)
}
