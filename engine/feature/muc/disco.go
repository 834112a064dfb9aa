package muc

import (
	"slices"
	"strconv"
	"strings"

	"meerkat/engine/archive"
	"meerkat/engine/command"
	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/rsm"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

const serviceName = "Rooms"

// serviceFeatures is what the service can do (§6.2).
var serviceFeatures = []string{infoSpace, itemsSpace, mucSpace, stableSpace, occupantSpace, pingSpace, rsm.Space, archive.StanzaID, command.Space, cardSpace}

// roomFeatures is what every room can do (§6.4).
var roomFeatures = []string{infoSpace, itemsSpace, mucSpace, stableSpace, selfPing, occupantSpace, archive.StanzaID, mucSpace + "#request", retractSpace, moderateSpace, cardSpace}

// handleService answers for the service itself.
func (f *service) handleService(c *feature.Ctx, s *stanza.Stanza) {
	pl := s.Payload()
	switch {
	case s.Kind == stanza.Presence || s.Kind == stanza.IQ && !s.Request():
	case s.Kind == stanza.IQ && s.To.IsBare() && s.Type == stanza.Set && pl.Is("command", command.Space):
		f.ops.Execute(c, s)
	case s.Kind == stanza.IQ && s.To.IsBare() && s.Type == stanza.Get && (pl.Is("query", infoSpace) || pl.Is("query", itemsSpace)) && f.ops.Disco(c, s):
	case s.Kind == stanza.IQ && s.Type == stanza.Get && s.To.IsBare() && pl.Is("query", infoSpace):
		serviceInfo(c, s)
	case s.Kind == stanza.IQ && s.Type == stanza.Get && s.To.IsBare() && pl.Is("query", itemsSpace):
		f.serviceItems(c, s)
	case s.Kind == stanza.IQ && s.Type == stanza.Get && s.To.IsBare() && pl.Is("ping", pingSpace):
		c.Result(s, nil)
	default:
		refuse(c, s, stanza.ServiceUnavailable)
	}
}

func serviceInfo(c *feature.Ctx, s *stanza.Stanza) {
	if len(s.Payload().Attr("node")) > 0 {
		refuse(c, s, stanza.ItemNotFound)
		return
	}
	c.Result(s, func(b *xml.Builder) {
		b.Start("query", infoSpace)
		buildIdentity(b, serviceName)
		buildFeatures(b, serviceFeatures)
		b.End()
	})
}

func buildIdentity(b *xml.Builder, name string) {
	b.Start("identity", "").Attr("category", "conference").Attr("type", "text").OptAttr("name", name).End()
}

func buildFeatures(b *xml.Builder, names []string) {
	for _, n := range names {
		b.Start("feature", "").Attr("var", n).End()
	}
}

// Rooms in one answer: where the client names no number, and at most.
const (
	usualPage = 100
	mostPage  = 500
)

// serviceItems lists the rooms that may be listed, a page at a time (§6.3).
func (f *service) serviceItems(c *feature.Ctx, s *stanza.Stanza) {
	req, ok := rsm.Read(s.Payload())
	if !ok || len(s.Payload().Attr("node")) > 0 {
		refuse(c, s, stanza.BadRequest)
		return
	}
	e, host, answer := c.Env, strings.Clone(s.To.Domain()), c.Later(s)
	var list []entry
	scan := func() { // there may be very many
		err := e.Store.View(func(tx *store.Tx) error { list = publicRooms(tx, host); return nil })
		if err != nil {
			e.Log.Error("the store cannot be read", "err", err)
		}
		list = f.dir.add(list, host)
	}
	if !e.Loop.Work(scan, func() { e.Router.Run(func() { tellRooms(answer, list, req) }) }) {
		answer.Fail(stanza.ResourceConstraint, "")
	}
}

// tellRooms answers with a page of the list.
func tellRooms(answer *feature.Request, list []entry, req rsm.Request) {
	after, before := -1, len(list)
	if req.HasAfter {
		var ok bool
		if after, ok = place(list, req.After); !ok {
			after--
		}
	}
	if req.HasBefore && req.Before != "" {
		before, _ = place(list, req.Before)
	}
	first, end := req.Slice(after, before, req.Limit(usualPage, mostPage))
	answer.Result(func(b *xml.Builder) {
		b.Start("query", itemsSpace)
		buildPage(b, list, first, end, req.Present)
		b.End()
	})
}

// place returns where the room is in the list, or where it would be.
func place(list []entry, jid string) (int, bool) {
	return slices.BinarySearchFunc(list, jid, func(e entry, j string) int {
		switch {
		case e.jid < j:
			return -1
		case e.jid > j:
			return 1
		}
		return 0
	})
}

func buildPage(b *xml.Builder, list []entry, first, end int, asked bool) {
	page := rsm.Page{Count: len(list), Index: first}
	for _, e := range list[first:end] {
		b.Start("item", "").Attr("jid", e.jid).OptAttr("name", e.name).End()
	}
	if first < end {
		page.First, page.Last = list[first].jid, list[end-1].jid
	}
	if asked || end-first < len(list) {
		page.Append(b)
	}
}

// tellInfo says what a room is (§6.4, §6.5). The node x-roomuser-item asks for
// a reserved nick (§7.12).
func (r *room) tellInfo(c *feature.Ctx, s *stanza.Stanza) {
	switch node := string(s.Payload().Attr("node")); {
	case r.locked && r.affiliation(s.From) != owner:
		refuse(c, s, stanza.ItemNotFound)
	case node == nickNode:
		r.tellNick(c, s)
	case node != "":
		refuse(c, s, stanza.ItemNotFound)
	default:
		subject := ""
		if r.showsSubject(s.From) {
			subject = r.subj.Text
		}
		c.Result(s, func(b *xml.Builder) { r.buildInfo(b, subject) })
	}
}

// showsSubject reports whether who may know what they talk about: not who is kept
// out.
func (r *room) showsSubject(who jid.JID) bool {
	a := r.affiliation(who)
	return a >= member || r.seat(who) != nil || a == none && !r.set.MembersOnly && !r.set.Protected
}

func (r *room) buildInfo(b *xml.Builder, subject string) {
	b.Start("query", infoSpace)
	buildIdentity(b, r.set.Name)
	buildFeatures(b, roomFeatures)
	buildFeatures(b, r.set.features())
	if r.registration() != registerClosed {
		buildFeatures(b, []string{registerSpace})
	}
	if r.archives() {
		buildFeatures(b, []string{archive.Space, archive.Extended})
	}
	w := form.Start(b, form.Result, mucSpace+"#roominfo").
		Value("muc#roominfo_description", r.set.Description).
		Value("muc#roominfo_subject", subject).
		Value("muc#roominfo_subjectmod", form.Bool(r.set.Subject)).
		Value("muc#roominfo_changesubject", form.Bool(r.set.Subject)).
		Value("muc#roomconfig_changesubject", form.Bool(r.set.Subject)).
		Value("muc#roominfo_occupants", strconv.Itoa(len(r.list))).
		Value("muc#maxhistoryfetch", strconv.Itoa(r.set.History))
	if r.set.Lang != "" {
		w.Value("muc#roominfo_lang", r.set.Lang)
	}
	if len(r.set.Avatar) > 0 {
		w.Field(form.Def{Var: avatarVar, Type: form.TextMulti, Label: "Hashes of its picture"}, r.set.Avatar...)
	}
	w.End()
	b.End()
}

// features are the room's properties as disco names them (§15.3).
func (s *settings) features() []string {
	pick := func(v bool, yes, no string) string {
		if v {
			return yes
		}
		return no
	}
	return []string{
		pick(s.Public, "muc_public", "muc_hidden"),
		pick(s.Persistent, "muc_persistent", "muc_temporary"),
		pick(s.MembersOnly, "muc_membersonly", "muc_open"),
		pick(s.Moderated, "muc_moderated", "muc_unmoderated"),
		pick(s.Protected, "muc_passwordprotected", "muc_unsecured"),
		pick(s.Whois, "muc_nonanonymous", "muc_semianonymous"),
	}
}

// tellItems lists occupants to who is here, and to all if the room may be listed
// and is open (§6.5).
func (r *room) tellItems(c *feature.Ctx, s *stanza.Stanza) {
	shown := r.seat(s.From) != nil || r.set.Public && !r.set.MembersOnly && !r.set.Protected && !r.locked
	c.Result(s, func(b *xml.Builder) {
		b.Start("query", itemsSpace)
		for _, o := range r.list {
			if shown && !r.hides(o) {
				b.Start("item", "").AttrBytes("jid", r.address(o)).End()
			}
		}
		b.End()
	})
}
