package muc

import (
	"slices"
	"strings"

	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// arrive takes available presence: of who enters, is here under another nick,
// or is here and says something new.
func (f *service) arrive(c *feature.Ctx, s *stanza.Stanza, r *room) {
	if r != nil {
		defer r.rest()
	}
	x := s.Elem.Child("x", mucSpace)
	var st *seat
	if r != nil {
		st = r.seat(s.From)
	}
	switch {
	case s.To.IsBare():
		refuse(c, s, stanza.JIDMalformed) // no nick: §7.2.1
	case len(s.Elem.Raw()) > int(c.Config.Rooms.Presence):
		full.Add(c.Shard(), fullPresence, 1)
		refuse(c, s, stanza.PolicyViolation)
	case st != nil:
		r.again(c, s, st, x)
	case !x.OK():
		kickUnknown(c, s) // §7.2.1: it believes that it is here
	case r == nil:
		f.create(c, s, x)
	default:
		r.enter(c, s, x, nil)
	}
}

// again is presence of who is here.
func (r *room) again(c *feature.Ctx, s *stanza.Stanza, st *seat, x xml.Elem) {
	switch {
	case !r.f.inPace(c, s, ofChanges):
	case s.To.Resource() != st.nick:
		r.rename(c, s, st)
	case x.OK(): // its client does not know, and wants to see everything
		past, ok := readPast(x)
		if !ok {
			refuse(c, s, stanza.BadRequest)
			return
		}
		st.shows(r.content(s.Elem), s.Lang)
		r.show(c, st, s, nil, past)
	default:
		st.shows(r.content(s.Elem), s.Lang)
		r.update(st.occupant, &item{id: string(s.ID)})
	}
	if c.Origin.Session != 0 {
		r.resumable(st)
	}
	r.keep(st.occupant)
}

// kickUnknown tells who is not here that it is not.
func kickUnknown(c *feature.Ctx, s *stanza.Stanza) {
	var b xml.Builder
	b.Reset(c.Scratch(), stanza.Client).Start("presence", "").Attr("type", "unavailable").
		Attr("from", s.To.String()).Attr("to", s.From.String())
	b.Start("x", userSpace)
	b.Start("item", "").Attr("affiliation", "none").Attr("role", "none")
	b.Start("reason", "").Text("You are not in the room.").End().End()
	buildCodes(&b, []int{110, 307, 333})
	out := b.End().End().Bytes()
	c.Router.Send(s.From, out)
	c.Keep(out)
}

// create makes a room for who enters it first (§10.1).
func (f *service) create(c *feature.Ctx, s *stanza.Stanza, x xml.Elem) {
	if cond := f.mayCreate(c, s.From); cond != stanza.OK {
		refuse(c, s, cond)
		return
	}
	r := f.newRoom(c.Env, s.To.Bare())
	defer r.rest()
	r.key, r.set, r.locked = newKey(), initial(&c.Config.Rooms), true
	creator := s.From.Bare().Clone()
	r.aff[creator.String()] = owner
	f.dir.put(r.jid.String(), listing{creator: creator.String()})
	created.Add(c.Shard(), 1)
	r.enter(c, s, x, []int{201})
}

// mayCreate judges whether somebody may make a room (§10.1.1).
func (f *service) mayCreate(c *feature.Ctx, who jid.JID) stanza.Condition {
	cfg := &c.Config.Rooms
	bare := who.BareString()
	isAdmin := slices.Contains(c.Config.Admin.Accounts, bare)
	switch {
	case isAdmin:
		return stanza.OK
	case cfg.Create == "admins", !f.local[who.Domain()]:
		full.Add(c.Shard(), fullCreate, 1)
		return stanza.NotAllowed
	case cfg.PerUser == 0:
		return stanza.OK
	}
	n := f.dir.madeBy(bare)
	c.View(func(tx *store.Tx) { n += roomsOf.Len(tx, bare) })
	if n >= cfg.PerUser {
		full.Add(c.Shard(), fullPerUser, 1)
		return stanza.ResourceConstraint
	}
	return stanza.OK
}

// enter seats who may come in, and shows the room (§7.2).
func (r *room) enter(c *feature.Ctx, s *stanza.Stanza, x xml.Elem, codes []int) {
	past, ok := readPast(x)
	cond := r.admits(c, s, x)
	if !ok {
		cond = stanza.BadRequest
	}
	if cond != stanza.OK {
		refuse(c, s, cond)
		return
	}
	if !r.f.inPace(c, s, ofChanges) {
		return
	}
	o := r.named(s.To.Resource())
	if o == nil {
		o = r.newOccupant(s)
	}
	o.shows(r.content(s.Elem), s.Lang)
	st := r.add(o, s.From)
	if c.Origin.Session != 0 {
		r.resumable(st)
	}
	r.show(c, st, s, codes, past)
	r.keep(o)
}

func (r *room) newOccupant(s *stanza.Stanza) *occupant {
	a := r.affiliation(s.From)
	return &occupant{
		standing: standing{initialRole(r.set.Moderated, a), a},
		nick:     strings.Clone(s.To.Resource()), id: r.occupantID(s.From),
	}
}

// admits judges who wants to enter, in the order in which the least is told.
func (r *room) admits(c *feature.Ctx, s *stanza.Stanza, x xml.Elem) stanza.Condition {
	a := r.affiliation(s.From)
	o := r.named(s.To.Resource())
	switch {
	case a == outcast:
		return stanza.Forbidden // §7.2.7
	case r.locked && a != owner:
		return stanza.ItemNotFound // §10.1.3
	case r.set.MembersOnly && a < member:
		return stanza.RegistrationRequired // §7.2.6
	case r.set.Protected && a != owner && string(x.Child("password", mucSpace).Text()) != r.set.Secret:
		return stanza.NotAuthorized // §7.2.5
	case o != nil && o.bare() != s.From.Bare(), r.taken(s.To.Resource(), s.From):
		return stanza.Conflict // §7.2.8
	case o == nil && r.isFull(c, a):
		full.Add(c.Shard(), fullOccupants, 1)
		return stanza.ServiceUnavailable // §7.2.9
	}
	return stanza.OK
}

func (r *room) isFull(c *feature.Ctx, a affiliation) bool {
	limit := c.Config.Rooms.Occupants
	if r.set.MaxUsers > 0 {
		limit = min(limit, r.set.MaxUsers)
	}
	return len(r.list) >= limit && a < admin
}

// show gives a session the others, tells everybody of it, then what was said
// before and the subject (§7.2.2, §7.2.3, §7.2.13, §7.2.15).
func (r *room) show(c *feature.Ctx, st *seat, s *stanza.Stanza, codes []int, past pastRequest) {
	if r.set.Whois {
		codes = append(codes, 100)
	}
	if r.set.Logged {
		codes = append(codes, 170)
	}
	r.showOthers(c, st)
	r.update(st.occupant, &item{self: codes, id: string(s.ID)})
	if len(r.set.Avatar) > 0 {
		r.showPicture([]*seat{st})
	}
	r.showPast(st, past)
	r.sendTo(st, r.subjectMessage())
}

// batchSize is how many bytes of presence are sent in one go, more or less.
const batchSize = 32 << 10

// showOthers gives a session the presence of everybody else.
func (r *room) showOthers(c *feature.Ctx, st *seat) {
	b, real, none := c.Scratch(), r.knows(st.occupant), item{}
	ends := make([]uint32, 0, 128)
	for _, o := range r.list {
		if o == st.occupant || r.hides(o) && st.role != moderator {
			continue
		}
		b = r.build(b, o, &none, st, real, false)
		if ends = append(ends, uint32(len(b))); len(b) > batchSize {
			c.Router.Batch(st.jid, b, ends)
			b, ends = b[:0], ends[:0]
		}
	}
	c.Router.Batch(st.jid, b, ends)
	c.Keep(b)
}

// depart takes unavailable presence of who is here (§7.14).
func (r *room) depart(s *stanza.Stanza) {
	st := r.seat(s.From)
	if st == nil {
		return
	}
	it := &item{only: st, id: string(s.ID)}
	if len(s.Elem.Raw()) <= int(r.env.Config.Rooms.Presence) { // nobody is kept here for saying too much
		it.status = string(r.content(s.Elem))
	}
	r.leave(st, it)
}

// leave takes one session out. Others hear of it if it was the last one of the
// occupant, else only the session itself.
func (r *room) leave(st *seat, it *item) {
	o := st.occupant
	it.gone, it.only = true, st
	if o.last.before != nil {
		r.tellSelf(o, it)
	} else {
		r.update(o, it)
	}
	r.drop(st)
}

// expel takes an occupant out with all sessions.
func (r *room) expel(o *occupant, it *item) {
	it.gone = true
	r.update(o, it)
	for st := range o.seats() {
		r.drop(st)
	}
}

// rename gives an occupant another nick (§7.6).
func (r *room) rename(c *feature.Ctx, s *stanza.Stanza, st *seat) {
	o := st.occupant
	if r.named(s.To.Resource()) != nil || r.taken(s.To.Resource(), s.From) {
		refuse(c, s, stanza.Conflict)
		return
	}
	if !o.role.may(changeNick) {
		refuse(c, s, stanza.NotAllowed)
		return
	}
	r.update(o, &item{gone: true, nick: s.To.Resource(), codes: []int{303}})
	r.crowd.rename(o, s.To.Resource())
	o.shows(r.content(s.Elem), s.Lang)
	r.update(o, &item{id: string(s.ID)})
}
