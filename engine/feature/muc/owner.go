package muc

import (
	"errors"
	"slices"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// tellConfig gives an owner the form (§10.1.3, §10.2).
func (r *room) tellConfig(c *feature.Ctx, s *stanza.Stanza) {
	if r.affiliation(s.From) != owner {
		refuse(c, s, stanza.Forbidden)
		return
	}
	c.Result(s, func(b *xml.Builder) {
		b.Start("query", ownerSpace)
		w := form.Start(b, form.Ask, configType).Title("Configuration of " + r.jid.Local())
		for i := range fields {
			fields[i].write(w, &r.set)
		}
		w.Field(form.Def{Var: adminsVar, Type: form.JIDMulti, Label: "Admins"}, r.users(admin)...)
		w.Field(form.Def{Var: ownersVar, Type: form.JIDMulti, Label: "Owners"}, r.users(owner)...)
		w.End()
		b.End()
	})
}

// users returns those of an affiliation, sorted.
func (r *room) users(a affiliation) (list []string) {
	for bare, is := range r.aff {
		if is == a {
			list = append(list, bare)
		}
	}
	slices.Sort(list)
	return list
}

// own is what an owner wants: a form submitted or cancelled, or the end
// (§10.1.2-§10.1.4, §10.2, §10.9).
func (r *room) own(c *feature.Ctx, s *stanza.Stanza) {
	q := s.Payload()
	f, d := form.Of(q), q.Child("destroy", ownerSpace)
	switch {
	case r.affiliation(s.From) != owner:
		refuse(c, s, stanza.Forbidden)
	case d.OK():
		r.askedToDestroy(c, s, d)
	case !f.OK() || !f.Submits() && !f.Cancels():
		refuse(c, s, stanza.BadRequest)
	case f.Cancels() && r.locked: // §10.1.4
		r.destroy(c.Later(s), destruction{})
	case f.Cancels():
		c.Result(s, nil)
	default:
		r.submit(c, s, f)
	}
}

// submit takes a form that is filled in. An empty one accepts what there is
// (§10.1.2).
func (r *room) submit(c *feature.Ctx, s *stanza.Stanza, f form.Form) {
	set := r.set
	people, cond := r.readPeople(f)
	if cond == stanza.OK && !set.read(f) {
		cond = stanza.NotAcceptable
	}
	if cond == stanza.OK {
		cond = r.judgeAll(people, c.Config.Rooms.Affiliated)
	}
	if cond != stanza.OK {
		refuse(c, s, cond)
		return
	}
	if !r.locked && !r.f.roomInPace(c, s, ofChanges, 1) {
		return
	}
	set.History = min(set.History, c.Config.Rooms.History)
	req, actor := c.Later(s), r.nickOf(s.From)
	r.exclusive(func() { r.configure(req, set, people, actor) })
}

// readPeople returns whom the form makes an admin or owner, or nobody any more.
// A list that is there replaces what was.
func (r *room) readPeople(f form.Form) (map[string]affiliation, stanza.Condition) {
	after := make(map[string]affiliation)
	for _, l := range []struct {
		name string
		aff  affiliation
	}{{adminsVar, admin}, {ownersVar, owner}} {
		field := f.Field(l.name)
		if !field.OK() {
			continue
		}
		for _, bare := range r.users(l.aff) {
			if after[bare] == none {
				after[bare] = none
			}
		}
		for v := range field.Values() {
			j, err := jid.Parse(v)
			if err != nil {
				return nil, stanza.NotAcceptable
			}
			after[j.BareString()] = l.aff
		}
	}
	for bare, a := range after {
		if r.aff[bare] == a {
			delete(after, bare)
		}
	}
	return after, stanza.OK
}

// configure stores what an owner wants, and brings it into effect.
func (r *room) configure(req *feature.Request, set settings, people map[string]affiliation, actor string) {
	if r.gone {
		req.Fail(stanza.ItemNotFound, "")
		return
	}
	if cond := r.judgeAll(people, r.env.Config.Rooms.Affiliated); cond != stanza.OK { // another owner was faster
		req.Fail(cond, "")
		return
	}
	r.write(r.saveConfig(set, people), func(err error) {
		r.erasing = false
		if err != nil {
			req.Error(err)
			return
		}
		r.take(set, people, actor)
		req.Result(nil)
	})
}

// saveConfig returns what stores it, nil if the room neither lasts nor did.
func (r *room) saveConfig(set settings, people map[string]affiliation) func(tx *store.Tx) error {
	switch {
	case r.stored && (set.Persistent || r.lasting()):
		doc, changed, clean := r.saveRecord(set, r.subj, false), r.saveAffiliations(people), func(*store.Tx) error { return nil }
		if !set.Persistent && r.set.Persistent {
			clean = r.eraseArchive()
		}
		return func(tx *store.Tx) error { return errors.Join(doc(tx), changed(tx), clean(tx)) }
	case set.Persistent:
		all := copyOf(r.aff)
		for bare, a := range people {
			all[bare] = a
		}
		return r.save(set, r.subj, false, all)
	case r.stored:
		r.card = r.readCard()
		return r.erase()
	}
	return nil
}

// take brings a configuration into effect.
func (r *room) take(set settings, people map[string]affiliation, actor string) {
	was, fresh := r.set, r.locked
	r.set, r.locked = set, false
	r.enlist(set)
	for bare, a := range people {
		r.affiliate(bare, a, item{actor: actor})
	}
	for _, o := range slices.Clone(r.list) {
		r.adapt(o, &was)
	}
	if !fresh {
		r.notify(set.notices(&was))
	}
}

// enlist keeps the directory right: rooms that last are in the store instead.
func (r *room) enlist(set settings) {
	name := r.jid.String()
	was := r.stored
	r.stored = set.Persistent || was && r.lasting()
	switch {
	case r.stored:
		r.f.dir.remove(name)
	case was:
		owners := append(r.users(owner), "")
		r.f.dir.put(name, listing{set.Name, owners[0], set.Public})
	default:
		r.f.dir.update(name, set.Name, set.Public)
	}
}

// adapt is what a new configuration means for an occupant: who is no member
// leaves a room that has become members-only (§10.2.1), voice comes and goes
// with moderation, moderators see whom they did not.
func (r *room) adapt(o *occupant, was *settings) {
	switch {
	case r.set.MembersOnly && o.aff < member:
		r.expel(o, &item{codes: []int{322}})
	case r.set.Moderated != was.Moderated && o.role != moderator && o.role != initialRole(r.set.Moderated, o.aff):
		r.giveRole(o, initialRole(r.set.Moderated, o.aff), item{})
	}
}

// notify tells everybody status codes.
func (r *room) notify(codes []int) {
	var b xml.Builder
	b.Reset(nil, stanza.Client).Start("message", "").Attr("from", r.jid.String()).Attr("type", "groupchat")
	b.Start("x", userSpace)
	buildCodes(&b, codes)
	r.toAll(b.End().End().Bytes())
}

// destruction is what is said at the end of a room (§10.9).
type destruction struct{ venue, password, reason string }

func (d *destruction) build(b *xml.Builder) {
	b.Start("destroy", "").OptAttr("jid", d.venue)
	if d.password != "" {
		b.Start("password", "").Text(d.password).End()
	}
	if d.reason != "" {
		b.Start("reason", "").Text(d.reason).End()
	}
	b.End()
}

func (r *room) askedToDestroy(c *feature.Ctx, s *stanza.Stanza, e xml.Elem) {
	d := destruction{
		password: string(e.Child("password", ownerSpace).Text()),
		reason:   string(e.Child("reason", ownerSpace).Text()),
	}
	if v := e.Attr("jid"); len(v) > 0 {
		j, err := jid.Parse(string(v))
		if err != nil {
			refuse(c, s, stanza.JIDMalformed)
			return
		}
		d.venue = j.String()
	}
	req := c.Later(s)
	r.exclusive(func() { r.destroy(req, d) })
}

// destroy ends the room for an owner.
func (r *room) destroy(req *feature.Request, d destruction) {
	if r.gone {
		req.Fail(stanza.ItemNotFound, "")
		return
	}
	r.destroyThen(d, func(err error) {
		if err != nil {
			req.Error(err)
			return
		}
		req.Result(nil)
	})
}

// destroyThen ends the room, in the store first.
func (r *room) destroyThen(d destruction, done func(err error)) {
	var erase func(tx *store.Tx) error
	if r.stored {
		erase = r.erase()
	}
	r.write(erase, func(err error) {
		r.erasing = false
		if err == nil {
			r.end(d)
		}
		done(err)
	})
}

// end sends everybody away. The room is out of memory when nothing is on its
// way any more.
func (r *room) end(d destruction) {
	r.gone, r.stored = true, false
	destroyed.Add(r.env.Shard(), 1)
	for _, o := range slices.Clone(r.list) {
		o.standing = standing{}
		o.shows(nil, nil)
		r.tellSelf(o, &item{gone: true, more: d.build})
		for st := range o.seats() {
			r.drop(st)
		}
	}
	r.rest()
}
