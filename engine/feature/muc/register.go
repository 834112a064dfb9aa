package muc

import (
	"strings"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const (
	registerSpace = "jabber:iq:register"    // XEP-0077
	registerType  = mucSpace + "#register"  // FORM_TYPE, XEP-0045 §15.5.1
	nickVar       = "muc#register_roomnick" // the nick to be reserved
	allowVar      = "muc#register_allow"    // an admin's answer
	userVar       = "muc#register_user"     // ours: who has asked, for the answer
	nickNode      = "x-roomuser-item"       // XEP-0045 §7.12
)

// Who may register.
const (
	registerAuto   = "auto"   // open rooms: everybody; where not all may enter or speak: who is approved
	registerOpen   = "open"   // everybody, at once
	registerAsk    = "ask"    // who is approved by an admin
	registerClosed = "closed" // nobody but members
)

// registration returns what holds for who is no member.
func (r *room) registration() string {
	switch {
	case r.set.Register != "" && r.set.Register != registerAuto:
		return r.set.Register
	case r.set.MembersOnly || r.set.Moderated || r.set.Protected:
		return registerAsk
	}
	return registerOpen
}

// mayRegister judges who wants to be a member with a nick (§7.10).
func (r *room) mayRegister(who jid.JID) stanza.Condition {
	a := r.affiliation(who)
	switch {
	case r.locked && a != owner:
		return stanza.ItemNotFound
	case a == outcast, a == none && r.registration() == registerClosed:
		return stanza.NotAllowed
	}
	return stanza.OK
}

// tellRegistration says what is needed to register, or that it is done.
func (r *room) tellRegistration(c *feature.Ctx, s *stanza.Stanza) {
	if cond := r.mayRegister(s.From); cond != stanza.OK {
		refuse(c, s, cond)
		return
	}
	nick := r.reservedFor(s.From.BareString())
	c.Result(s, func(b *xml.Builder) {
		b.Start("query", registerSpace)
		if nick != "" {
			b.Start("registered", "").End().Start("username", "").Text(nick).End().End()
			return
		}
		text := "The nick is yours in this room, and you become a member."
		if r.affiliation(s.From) == none && r.registration() == registerAsk {
			text += " An admin of the room has to agree first."
		}
		b.Start("instructions", "").Text(text).End()
		form.Start(b, form.Ask, registerType).Title("Registration with " + r.jid.Local()).Instructions(text).
			Field(form.Def{Var: nickVar, Type: form.TextSingle, Label: "Nick", Required: true}).End()
		b.End()
	})
}

// register takes the form that is filled in, or the end of a registration.
func (r *room) register(c *feature.Ctx, s *stanza.Stanza) {
	q := s.Payload()
	if q.Child("remove", registerSpace).OK() {
		r.unregister(c, s)
		return
	}
	f := form.Of(q)
	wish, _ := f.Value(nickVar)
	nick, ok := r.prepareNick(wish)
	cond := r.mayRegister(s.From)
	switch {
	case cond != stanza.OK:
	case !f.OK() || !f.Submits() || !f.Is(registerType) || !ok:
		cond = stanza.BadRequest
	case r.judgeNicks(nickChanges{s.From.BareString(): nick}, nil) != stanza.OK:
		cond = stanza.Conflict
	case !r.f.inPace(c, s, ofChanges): // members look different
		return
	}
	if cond != stanza.OK {
		refuse(c, s, cond)
		return
	}
	bare := s.From.Bare().Clone()
	if r.affiliation(bare) == none && r.registration() == registerAsk {
		r.askAdmins(c, s, bare, nick)
		return
	}
	r.admit(bare, nick, c.Config.Rooms.Affiliated, answerWith(c.Later(s)))
}

// answerWith returns what ends a request.
func answerWith(req *feature.Request) func(err error) {
	return func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		req.Result(nil)
	}
}

// admit makes a user a member with a nick, once no other change is on its way; ""
// takes both away.
func (r *room) admit(user jid.JID, nick string, most int, done func(err error)) {
	r.exclusive(func() { r.admitNow(user, nick, most, done) })
}

func (r *room) admitNow(user jid.JID, nick string, most int, done func(err error)) {
	if r.gone {
		done(stanza.ItemNotFound)
		return
	}
	bare := user.String()
	after, nicks := make(map[string]affiliation), nickChanges{bare: nick}
	switch a := r.affiliation(user); {
	case nick != "" && a == none:
		after[bare] = member
	case nick == "" && a == member:
		after[bare] = none
	}
	cond := r.judgeAll(after, most)
	if cond == stanza.OK {
		cond = r.judgeNicks(nicks, after)
	}
	if cond != stanza.OK {
		done(cond)
		return
	}
	r.write(r.saveRegistration(after, nicks), func(err error) {
		if err == nil {
			registrations.Add(r.env.Shard(), 1)
			r.takeNicks(nicks)
			for bare, a := range after {
				r.affiliate(bare, a, item{})
			}
		}
		done(err)
	})
}

// saveRegistration returns what stores both, nil if the room does not last.
func (r *room) saveRegistration(after map[string]affiliation, nicks nickChanges) func(tx *store.Tx) error {
	if !r.stored {
		return nil
	}
	people, names := r.saveAffiliations(after), r.saveNicks(nicks)
	return func(tx *store.Tx) error {
		if err := people(tx); err != nil {
			return err
		}
		return names(tx)
	}
}

// unregister ends membership and reservation for who does not want them.
func (r *room) unregister(c *feature.Ctx, s *stanza.Stanza) {
	bare := s.From.Bare().Clone()
	switch a := r.affiliation(bare); {
	case a == outcast:
		refuse(c, s, stanza.NotAllowed)
		return
	case a < member && r.reservedFor(bare.String()) == "":
		refuse(c, s, stanza.RegistrationRequired) // XEP-0077 §3.2
		return
	case !r.f.inPace(c, s, ofChanges):
		return
	}
	r.admit(bare, "", c.Config.Rooms.Affiliated, answerWith(c.Later(s)))
}

// askAdmins asks those who are here, or else all, to approve of somebody (§9.9).
func (r *room) askAdmins(c *feature.Ctx, s *stanza.Stanza, user jid.JID, nick string) {
	if !r.keeper().mayAsk(r.jid.String()+" "+user.String(), c.Now()) {
		full.Add(c.Shard(), fullRequests, 1)
		refuse(c, s, stanza.ResourceConstraint)
		return
	}
	for _, to := range r.admins() {
		var b xml.Builder
		b.Reset(nil, stanza.Client).Start("message", "").Attr("from", r.jid.String()).Attr("to", to.String())
		form.Start(&b, form.Ask, registerType).Title("Registration request").
			Instructions("Should this user be a member of the room, with this nick?").
			Field(form.Def{Var: userVar, Type: form.JIDSingle, Label: "Address"}, user.String()).
			Field(form.Def{Var: nickVar, Type: form.TextSingle, Label: "Nick"}, nick).
			Field(form.Def{Var: allowVar, Type: form.Boolean, Label: "Allow this person to register with the room?"}, "0").End()
		r.env.Router.Send(to, b.End().Bytes())
	}
	c.Result(s, nil)
}

// admins returns the sessions of admins and owners that are here; if there are
// none, the bare JIDs of all, within reason.
func (r *room) admins() (list []jid.JID) {
	const most = 20
	for _, st := range r.seats {
		if st.aff >= admin && !st.away && len(list) < most {
			list = append(list, st.jid)
		}
	}
	if len(list) > 0 {
		return list
	}
	for bare, a := range r.aff {
		if j, err := jid.Parse(bare); err == nil && a >= admin && len(list) < most {
			list = append(list, j)
		}
	}
	return list
}

// approve takes an admin's answer.
func (r *room) approve(c *feature.Ctx, s *stanza.Stanza, f form.Form) {
	v, _ := f.Value(userVar)
	wish, _ := f.Value(nickVar)
	user, err := jid.Parse(strings.TrimSpace(v))
	nick, ok := r.prepareNick(wish)
	allowed, answered := f.Bool(allowVar)
	switch {
	case r.affiliation(s.From) < admin:
		refuse(c, s, stanza.Forbidden)
		return
	case err != nil || !ok || !answered || !f.Submits():
		refuse(c, s, stanza.BadRequest)
		return
	case !allowed || r.affiliation(user) != none: // or another admin was faster
		return
	}
	req := c.Later(s)
	r.admit(user.Bare(), nick, c.Config.Rooms.Affiliated, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		req.Drop()
	})
}

// Requests that admins are asked about: how many at a time on one loop, and how
// often one user may ask in one room.
const (
	maxRequests = 10000
	askEvery    = 10 * time.Minute
)

// mayAsk reports whether admins may be bothered with a request again.
func (k *keeper) mayAsk(key string, now time.Time) bool {
	if at, ok := k.asked[key]; ok && now.Sub(at) < askEvery {
		return false
	}
	if len(k.asked) >= maxRequests {
		for old, at := range k.asked {
			if now.Sub(at) >= askEvery {
				delete(k.asked, old)
			}
		}
	}
	if len(k.asked) >= maxRequests {
		return false
	}
	if k.asked == nil {
		k.asked = make(map[string]time.Time)
	}
	k.asked[key] = now
	return true
}

// tellNick says which nick is reserved for who asks (§7.12).
func (r *room) tellNick(c *feature.Ctx, s *stanza.Stanza) {
	nick := r.reservedFor(s.From.BareString())
	c.Result(s, func(b *xml.Builder) {
		b.Start("query", infoSpace).Attr("node", nickNode)
		if nick != "" {
			buildIdentity(b, nick)
		}
		b.End()
	})
}
