package muc

import (
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// change is one item of a request by a moderator, admin or owner (§8, §9, §10).
type change struct {
	nick   string  // of an occupant, or
	bare   jid.JID // of a user
	named  bool    // nick is to be reserved for the user; "" is none any more
	role   *role
	aff    *affiliation
	reason string
}

// change carries out a request (§8.2-§8.4, §9, §10.3-§10.8).
func (r *room) change(c *feature.Ctx, s *stanza.Stanza) {
	list, cond := r.readChanges(s.Payload())
	if cond != stanza.OK {
		refuse(c, s, cond)
		return
	}
	for i := range list {
		if ch := &list[i]; ch.named && ch.nick != "" {
			nick, ok := r.prepareNick(ch.nick)
			if !ok {
				refuse(c, s, stanza.JIDMalformed)
				return
			}
			ch.nick = nick
		}
	}
	if !r.f.roomInPace(c, s, ofChanges, r.seen(list)) {
		return
	}
	who, req, most := s.From.Clone(), c.Later(s), c.Config.Rooms.Affiliated
	r.exclusive(func() { r.carryOut(req, who, list, most) })
}

// seen counts the changes that everybody here would be told of.
func (r *room) seen(list []change) (n int) {
	for i := range list {
		if ch := &list[i]; ch.bare.IsZero() && r.named(ch.nick) != nil || !ch.bare.IsZero() && len(r.of(ch.bare.String())) > 0 {
			n++
		}
	}
	return n
}

func (r *room) readChanges(q xml.Elem) (list []change, cond stanza.Condition) {
	for e := q.First(); e.OK(); e = e.Next() {
		if !e.Is("item", adminSpace) {
			continue
		}
		ch, cond := readChange(e)
		if cond != stanza.OK {
			return nil, cond
		}
		list = append(list, ch)
	}
	if len(list) == 0 {
		return nil, stanza.BadRequest
	}
	return list, stanza.OK
}

func readChange(e xml.Elem) (ch change, cond stanza.Condition) {
	ch.nick, ch.reason = string(e.Attr("nick")), string(e.Child("reason", adminSpace).Text())
	if v := e.Attr("jid"); v != nil {
		j, err := jid.Parse(string(v))
		if err != nil {
			return ch, stanza.JIDMalformed
		}
		ch.bare, ch.named = j.Bare(), e.Attr("nick") != nil
	}
	ra, okRole := parseRole(string(e.Attr("role")))
	if e.Attr("role") != nil {
		ch.role = &ra
	}
	aa, okAff := parseAffiliation(string(e.Attr("affiliation")))
	if e.Attr("affiliation") != nil {
		ch.aff = &aa
	}
	switch {
	case (ch.role == nil) == (ch.aff == nil): // one of them, not both: §8.5, §9.5
		return ch, stanza.BadRequest
	case ch.role != nil && (!okRole || ch.nick == ""), ch.aff != nil && !okAff:
		return ch, stanza.BadRequest
	case ch.aff != nil && ch.nick == "" && ch.bare.IsZero():
		return ch, stanza.BadRequest
	}
	return ch, stanza.OK
}

// carryOut judges all changes before it makes any.
func (r *room) carryOut(req *feature.Request, who jid.JID, list []change, most int) {
	if r.gone {
		req.Fail(stanza.ItemNotFound, "")
		return
	}
	by := r.standingOf(who)
	after, nicks := make(map[string]affiliation), make(nickChanges)
	for i := range list {
		if cond := r.judge(by, who, &list[i], after, nicks); cond != stanza.OK {
			refused.Add(r.env.Shard(), 1)
			req.Fail(cond, "")
			return
		}
	}
	cond := r.judgeAll(after, most)
	if cond == stanza.OK {
		cond = r.judgeNicks(nicks, after)
	}
	if cond != stanza.OK {
		req.Fail(cond, "")
		return
	}
	save := r.saveRegistration(after, nicks)
	if len(after) == 0 {
		save = nil
	}
	actor := r.nickOf(who)
	r.write(save, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		r.takeNicks(nicks)
		r.apply(list, actor, who)
		req.Result(nil)
	})
}

func (r *room) nickOf(who jid.JID) string {
	if st := r.seat(who); st != nil {
		return st.nick
	}
	return ""
}

// judge holds one change against the tables of §5, and notes in after what
// affiliation it gives.
func (r *room) judge(by standing, who jid.JID, ch *change, after map[string]affiliation, nicks nickChanges) stanza.Condition {
	o := r.named(ch.nick)
	if ch.role != nil {
		if o == nil {
			return stanza.ItemNotFound
		}
		return mayChangeRole(by, o.standing, *ch.role)
	}
	if ch.bare.IsZero() {
		if o == nil {
			return stanza.ItemNotFound
		}
		ch.bare = o.bare()
	}
	if *ch.aff == outcast && ch.bare == who.Bare() && by.aff >= admin {
		return stanza.Conflict // §9.1
	}
	was := r.affiliation(ch.bare)
	if cond := mayChangeAffiliation(by.aff, was, *ch.aff); cond != stanza.OK {
		return cond
	}
	after[ch.bare.String()] = *ch.aff
	if ch.named && *ch.aff >= member {
		nicks[ch.bare.String()] = ch.nick
	}
	return stanza.OK
}

// judgeAll refuses that nobody owns the room any more (§10.4), and too many.
func (r *room) judgeAll(after map[string]affiliation, most int) stanza.Condition {
	owners, n := 0, len(r.aff)
	for bare, a := range r.aff {
		if _, changed := after[bare]; a == owner && !changed {
			owners++
		}
	}
	for bare, a := range after {
		if a == owner {
			owners++
		}
		if _, known := r.aff[bare]; !known && a != none {
			n++
		}
	}
	switch {
	case owners == 0 && len(after) > 0:
		return stanza.Conflict
	case n > most && n > len(r.aff):
		full.Add(r.env.Shard(), fullAffiliated, 1)
		return stanza.ResourceConstraint
	}
	return stanza.OK
}

// maxTold bounds the users who are not here that one request has told of what
// they have become: a room is no way to write to thousands of strangers.
const maxTold = 20

// apply makes the changes, and tells who is here.
func (r *room) apply(list []change, actor string, who jid.JID) {
	told := 0
	for i := range list {
		ch := &list[i]
		it := item{actor: actor, reason: ch.reason}
		if ch.aff != nil {
			was, bare := r.affiliation(ch.bare), ch.bare.String()
			r.affiliate(bare, *ch.aff, it)
			if was != *ch.aff && len(r.of(bare)) == 0 && told < maxTold {
				told++
				r.tellAbsent(ch, was, who)
			}
		} else if o := r.named(ch.nick); o != nil {
			r.giveRole(o, *ch.role, it)
		}
	}
}

func (r *room) giveRole(o *occupant, to role, it item) {
	if to == noRole {
		it.codes = []int{307}
		r.expel(o, &it)
		return
	}
	hidden := r.hides(o)
	if o.role != to {
		o.role = to
		it.hidden = hidden && r.hides(o)
		r.broadcast(o, &it)
		r.keep(o)
	}
}

// affiliate makes a user what it is to be, and its occupants with it.
func (r *room) affiliate(bare string, a affiliation, it item) {
	if nick := r.reservedFor(bare); nick != "" && a < member {
		delete(r.reserved, nick)
	}
	if a == none {
		delete(r.aff, bare)
	} else {
		r.aff[bare] = a
	}
	for _, o := range r.of(bare) {
		was := o.standing
		o.aff = a
		switch each := it; {
		case a == outcast:
			each.codes = []int{301}
			r.expel(o, &each)
		case r.set.MembersOnly && a < member:
			each.codes = []int{321}
			r.expel(o, &each)
		default:
			if o.role = initialRole(r.set.Moderated, a); o.standing != was {
				r.update(o, &each)
				r.keep(o)
			}
		}
	}
}

// tellList answers who asks for the users of an affiliation, or the occupants of
// a role (§8.5, §9.2, §9.5, §9.8, §10.5, §10.8).
func (r *room) tellList(c *feature.Ctx, s *stanza.Stanza) {
	e := s.Payload().Child("item", adminSpace)
	ra, okRole := parseRole(string(e.Attr("role")))
	a, okAff := parseAffiliation(string(e.Attr("affiliation")))
	by := r.standingOf(s.From)
	switch {
	case okRole == okAff:
		refuse(c, s, stanza.BadRequest)
	case okAff && !mayList(by, a, r.set.MemberList), okAff && by.aff == member && r.membersAreAnybody(), okRole && by.role < moderator && by.aff < admin, okRole && ra == moderator && by.aff < admin:
		refuse(c, s, stanza.Forbidden)
	default:
		c.Result(s, func(b *xml.Builder) {
			b.Start("query", adminSpace)
			if okAff {
				r.listUsers(b, a)
			} else {
				r.listOccupants(b, ra, by)
			}
			b.End()
		})
	}
}

// membersAreAnybody reports whether everybody can become a member at once, in a
// room that does not show addresses to everybody.
func (r *room) membersAreAnybody() bool {
	return !r.set.Whois && r.registration() == registerOpen
}

func (r *room) listUsers(b *xml.Builder, a affiliation) {
	nicks := r.allNicks()
	for bare, is := range r.aff {
		if is == a {
			b.Start("item", "").Attr("affiliation", a.String()).Attr("jid", bare).OptAttr("nick", nicks[bare]).End()
		}
	}
}

func (r *room) listOccupants(b *xml.Builder, of role, by standing) {
	for _, o := range r.list {
		if o.role != of {
			continue
		}
		b.Start("item", "").Attr("affiliation", o.aff.String()).Attr("nick", o.nick).Attr("role", o.role.String())
		if r.set.Whois || by.role == moderator {
			b.Attr("jid", o.last.jid.String())
		}
		b.End()
	}
}
