package muc

import (
	"time"

	"meerkat/engine/archive"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// subject is the room's, as it is stored (§7.2.15).
type subject struct {
	Text string    `json:"text,omitempty"`
	Nick string    `json:"nick,omitempty"` // of who set it; "": the room itself
	ID   string    `json:"id,omitempty"`   // of an occupant, XEP-0421
	At   time.Time `json:"at,omitzero"`
}

func (r *room) handleMessage(c *feature.Ctx, s *stanza.Stanza) {
	switch {
	case s.Type == stanza.Error:
		r.bounced(s)
	case s.To.IsFull():
		r.private(c, s)
	case s.Type == stanza.Groupchat:
		r.groupchat(c, s)
	default:
		r.request(c, s)
	}
}

// request is a message to the room that is not for everybody.
func (r *room) request(c *feature.Ctx, s *stanza.Stanza) {
	x := s.Elem.Child("x", userSpace)
	switch {
	case x.Child("invite", userSpace).OK():
		r.invite(c, s, x)
	case x.Child("decline", userSpace).OK():
		r.decline(c, s, x.Child("decline", userSpace))
	case form.Of(s.Elem).Is(registerType):
		r.approve(c, s, form.Of(s.Elem))
	case form.Of(s.Elem).Is(requestType):
		r.voice(c, s, form.Of(s.Elem))
	default:
		refuse(c, s, stanza.BadRequest)
	}
}

// groupchat is a message for everybody (§7.4), or a subject (§8.1).
func (r *room) groupchat(c *feature.Ctx, s *stanza.Stanza) {
	st := r.seat(s.From)
	subj := s.Elem.Child("subject", stanza.Client)
	body := s.Elem.Child("body", stanza.Client).OK()
	switch {
	case st == nil:
		refuse(c, s, stanza.NotAcceptable)
	case len(r.before) > 0 && r.saidAlready(st, s): // all have it, or will
	case subj.OK() && !body && !s.Elem.Child("thread", stanza.Client).OK():
		r.setSubject(c, s, st, string(subj.Text()))
	case !st.role.may(speak):
		refuse(c, s, stanza.Forbidden)
	case r.f.inPace(c, s, ofMessages):
		seq := r.keeper().clock.Next(c.Now())
		b := r.reflect(c.Scratch(), s, st.occupant, r.keeper().name(r.jid.String(), seq))
		later := body && !s.Elem.Child("no-store", "urn:xmpp:hints").OK() // XEP-0334 §4.2
		r.say(c, b, seq, st, archive.Lasts(s), later)
		c.Keep(b)
		r.retracts(s, st)
	}
}

// reflect appends s as o says it, without an address, with more at its end.
func (r *room) reflect(dst []byte, s *stanza.Stanza, o *occupant, more []byte) []byte {
	var b xml.Builder
	tail := b.Reset(nil, stanza.Client).Start("occupant-id", occupantSpace).Attr("id", o.id.String()).End().Raw(more).Bytes()
	ed := xml.Edit{From: r.address(o), To: []byte{}, Skip: r.forged, Tail: tail}
	if len(s.Lang) > 0 {
		ed.Lang = s.Lang
	}
	return s.Elem.AppendEdited(dst, stanza.Client, &ed)
}

// toAll sends b to all sessions here.
func (r *room) toAll(b []byte) {
	r.env.Router.Fan(b, func(yield func(jid.JID)) {
		for _, st := range r.seats {
			r.reach(st, b, yield)
		}
	})
}

// maySetSubject follows the table of §5.1.1, and changesubject.
func (r *room) maySetSubject(by role) bool {
	return by == moderator || r.set.Subject && by.may(setSubject)
}

func (r *room) setSubject(c *feature.Ctx, s *stanza.Stanza, st *seat, text string) {
	switch {
	case !r.maySetSubject(st.role):
		refuse(c, s, stanza.Forbidden)
		return
	case len(text) > int(c.Config.Rooms.Subject):
		full.Add(c.Shard(), fullSubject, 1)
		refuse(c, s, stanza.NotAcceptable)
		return
	case !r.f.inPace(c, s, ofMessages):
		return
	}
	seq := r.keeper().clock.Next(c.Now())
	b := r.reflect(c.Scratch(), s, st.occupant, r.keeper().name(r.jid.String(), seq))
	r.subj = subject{text, st.nick, st.id.String(), c.Now()}
	r.say(c, b, seq, st, true, false)
	c.Keep(b)
	if !r.stored {
		return
	}
	r.write(r.saveRecord(r.set, r.subj, r.locked), func(err error) {
		if err != nil {
			r.env.Log.Error("the subject of a room could not be stored", "room", r.jid.String(), "err", err)
		}
	})
}

// subjectMessage is the last thing that who enters gets, empty if there is no
// subject (§7.2.15).
func (r *room) subjectMessage() []byte {
	from := r.jid.String()
	if r.subj.Nick != "" {
		from += "/" + r.subj.Nick
	}
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("message", "").Attr("from", from).Attr("type", "groupchat")
	b.Start("subject", "").Text(r.subj.Text).End()
	if r.subj.ID != "" {
		b.Start("occupant-id", occupantSpace).Attr("id", r.subj.ID).End()
	}
	if !r.subj.At.IsZero() {
		b.Start("delay", delaySpace).Attr("from", r.jid.String()).
			Attr("stamp", r.subj.At.UTC().Format("2006-01-02T15:04:05Z")).End()
	}
	return b.End().Bytes()
}

// maySendPrivate follows the table of §5.1.1, and allowpm.
func (r *room) maySendPrivate(by role) bool {
	switch r.set.PM {
	case pmAnyone:
		return by.may(sendPrivate)
	case pmParticipants:
		return by >= participant
	case pmModerators:
		return by == moderator
	}
	return false
}

// private is a message from occupant to occupant (§7.5).
func (r *room) private(c *feature.Ctx, s *stanza.Stanza) {
	st, to := r.seat(s.From), r.named(s.To.Resource())
	switch {
	case st == nil:
		refuse(c, s, stanza.NotAcceptable)
	case s.Type == stanza.Groupchat:
		refuse(c, s, stanza.BadRequest)
	case to == nil:
		refuse(c, s, stanza.ItemNotFound)
	case !r.maySendPrivate(st.role):
		refuse(c, s, stanza.Forbidden)
	default:
		r.relay(s, st.occupant, to)
		private.Add(c.Shard(), 1)
	}
}

// relay hands s to all sessions of another occupant.
func (r *room) relay(s *stanza.Stanza, from, to *occupant) {
	mark := []byte("<x xmlns='" + userSpace + "'/>")
	b := r.reflect(nil, s, from, mark)
	for st := range to.seats() {
		if st.away {
			r.sendTo(st, b)
			continue
		}
		r.env.Router.Send(st.jid, addressed(b, st.jid))
	}
}

// addressed returns message b, which has no to, with one.
func addressed(b []byte, to jid.JID) []byte {
	const start = "<message"
	var w xml.Builder
	w.Reset(nil, stanza.Client).Start("message", "").Attr("to", to.String())
	return append(w.Bytes(), b[len(start):]...)
}

// lost names the errors that mean that an occupant is not there any more
// (§7.14: ghosts).
var lost = map[string]bool{
	"gone": true, "item-not-found": true, "recipient-unavailable": true, "redirect": true,
	"remote-server-not-found": true, "remote-server-timeout": true, "jid-malformed": true,
}

// bounced is an error from an occupant: one that is lost leaves; another one
// goes to the occupant that it is for.
func (r *room) bounced(s *stanza.Stanza) {
	st := r.seat(s.From)
	if st == nil {
		return
	}
	if to := r.named(s.To.Resource()); s.To.IsFull() && to != nil {
		r.relay(s, st.occupant, to)
	}
	cond := s.Elem.Child("error", stanza.Client).First()
	if lost[string(cond.Local())] {
		ghosts.Add(r.env.Shard(), 1)
		r.leave(st, &item{codes: []int{333}})
	}
}
