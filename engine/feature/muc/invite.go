package muc

import (
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// maxInvites bounds the users that one message invites.
const maxInvites = 20

// invitation is on its way to a guest.
type invitation struct {
	to      jid.JID
	message []byte
}

// invite takes mediated invitations (§7.8.2). Whom an admin invites becomes a
// member of a room that is for members only, before it hears of the invitation:
// it may come at once.
func (r *room) invite(c *feature.Ctx, s *stanza.Stanza, x xml.Elem) {
	st := r.seat(s.From)
	switch {
	case st == nil:
		refuse(c, s, stanza.NotAcceptable)
		return
	case !r.mayInvite(st.standing):
		refuse(c, s, stanza.Forbidden)
		return
	}
	var list []invitation
	for e := x.First(); e.OK() && len(list) < maxInvites; e = e.Next() {
		if !e.Is("invite", userSpace) {
			continue
		}
		to, err := jid.Parse(string(e.Attr("to")))
		if err != nil {
			refuse(c, s, stanza.JIDMalformed)
			return
		}
		if !r.f.inPace(c, s, ofMessages) {
			break
		}
		list = append(list, invitation{to, r.buildInvitation(s, to, e)})
	}
	if len(list) == 0 {
		return
	}
	req, actor, most := c.Later(s), st.nick, c.Config.Rooms.Affiliated
	r.exclusive(func() { r.welcome(req, actor, list, most) })
}

// mayInvite follows the table of §5.1.1, and allowinvites.
func (r *room) mayInvite(by standing) bool {
	return by.aff >= admin || r.set.Invites && by.role.may(invite)
}

// welcome makes the guests members where only members enter, and invites them.
func (r *room) welcome(req *feature.Request, actor string, list []invitation, most int) {
	if r.gone {
		req.Fail(stanza.ItemNotFound, "")
		return
	}
	after := make(map[string]affiliation)
	for _, guest := range list {
		if r.set.MembersOnly && r.affiliation(guest.to) == none {
			after[guest.to.BareString()] = member
		}
	}
	if cond := r.judgeAll(after, most); cond != stanza.OK {
		req.Fail(cond, "")
		return
	}
	save := r.saveAffiliations(after)
	if !r.stored || len(after) == 0 {
		save = nil
	}
	r.write(save, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		for bare, a := range after {
			r.affiliate(bare, a, item{actor: actor})
		}
		for _, guest := range list {
			r.env.Router.Send(guest.to, guest.message)
		}
		req.Drop()
	})
}

// tellAbsent tells a user who is not here what it has become: whom the room is
// now open to is invited (§9.5), others hear of it by status 101.
func (r *room) tellAbsent(ch *change, was affiliation, by jid.JID) {
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("message", "").Attr("from", r.jid.String()).Attr("to", ch.bare.String())
	b.Start("x", userSpace)
	if r.set.MembersOnly && was < member && *ch.aff >= member {
		b.Start("invite", "").Attr("from", by.BareString())
		buildReason(&b, ch.reason)
		b.End()
		r.buildPassword(&b)
	} else {
		b.Start("item", "").Attr("affiliation", ch.aff.String()).Attr("role", noRole.String()).Attr("jid", ch.bare.String())
		buildReason(&b, ch.reason)
		b.End()
		buildCodes(&b, []int{101})
		b.End().Start("no-store", "urn:xmpp:hints")
	}
	r.env.Router.Send(ch.bare, b.End().End().Bytes())
}

func buildReason(b *xml.Builder, reason string) {
	if reason != "" {
		b.Start("reason", "").Text(reason).End()
	}
}

// buildPassword adds the password, where there is one, to an invitation.
func (r *room) buildPassword(b *xml.Builder) {
	if r.set.Protected {
		b.Start("password", "").Text(r.set.Secret).End()
	}
}

func (r *room) buildInvitation(s *stanza.Stanza, to jid.JID, e xml.Elem) []byte {
	reason := string(e.Child("reason", userSpace).Text())
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("message", "").OptAttr("id", string(s.ID)).
		Attr("from", r.jid.String()).Attr("to", to.String())
	b.Start("x", userSpace).Start("invite", "").Attr("from", s.From.String())
	if reason != "" {
		b.Start("reason", "").Text(reason).End()
	}
	if ct := e.Child("continue", userSpace); ct.OK() {
		b.Start("continue", "").OptAttr("thread", string(ct.Attr("thread"))).End()
	}
	b.End()
	r.buildPassword(&b)
	b.End()
	b.Start("x", inviteSpace).Attr("jid", r.jid.String()).OptAttr("reason", reason)
	if r.set.Protected {
		b.Attr("password", r.set.Secret)
	}
	return b.End().End().Bytes()
}

// decline takes the answer of who does not want to come to who has invited it
// (§7.8.2), if that is somebody of this room: the room is nobody's relay.
func (r *room) decline(c *feature.Ctx, s *stanza.Stanza, e xml.Elem) {
	to, err := jid.Parse(string(e.Attr("to")))
	if err != nil {
		refuse(c, s, stanza.JIDMalformed)
		return
	}
	if o := r.named(to.Resource()); o != nil && to.Bare() == r.jid {
		to = o.bare()
	}
	switch {
	case r.affiliation(s.From) == outcast:
		refuse(c, s, stanza.Forbidden)
		return
	case !r.f.inPace(c, s, ofMessages):
		return
	case r.affiliation(to) < member && len(r.of(to.BareString())) == 0:
		return // without a word: strangers could find out who is here
	}
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("message", "").OptAttr("id", string(s.ID)).
		Attr("from", r.jid.String()).Attr("to", to.String())
	b.Start("x", userSpace).Start("decline", "").Attr("from", s.From.BareString())
	if reason := e.Child("reason", userSpace); reason.OK() {
		b.Start("reason", "").TextBytes(reason.Text()).End()
	}
	r.env.Router.Send(to, b.End().End().End().Bytes())
}

// requestType is the FORM_TYPE of requests for voice.
const requestType = mucSpace + "#request"

// voice takes a visitor's request for voice to the moderators, and a moderator's
// consent (§7.13, §8.6).
func (r *room) voice(c *feature.Ctx, s *stanza.Stanza, f form.Form) {
	st := r.seat(s.From)
	allowed, answer := f.Bool("muc#request_allow")
	switch {
	case st == nil:
		refuse(c, s, stanza.NotAcceptable)
	case st.role == moderator && answer:
		nick, _ := f.Value("muc#roomnick")
		if o := r.named(nick); allowed && o != nil && o.role == visitor {
			r.giveRole(o, participant, item{actor: st.nick})
		}
	case st.role != visitor:
		refuse(c, s, stanza.NotAllowed)
	case r.f.inPace(c, s, ofMessages):
		r.askModerators(st)
	}
}

func (r *room) askModerators(st *seat) {
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("message", "").Attr("from", r.jid.String())
	form.Start(&b, form.Ask, requestType).Title("Request for voice").
		Field(form.Def{Var: "muc#role", Type: form.ListSingle, Label: "Role", Options: []form.Option{{Label: "Participant", Value: "participant"}}}, "participant").
		Field(form.Def{Var: "muc#jid", Type: form.JIDSingle, Label: "Address"}, st.jid.String()).
		Field(form.Def{Var: "muc#roomnick", Type: form.TextSingle, Label: "Nick"}, st.nick).
		Field(form.Def{Var: "muc#request_allow", Type: form.Boolean, Label: "Give voice?"}, "0").End()
	out := b.End().Bytes()
	r.env.Router.Fan(out, func(yield func(jid.JID)) {
		for _, o := range r.list {
			if o.role == moderator {
				r.reachAll(o, out, yield)
			}
		}
	})
}
