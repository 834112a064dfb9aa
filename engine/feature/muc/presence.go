package muc

import (
	"strconv"

	"meerkat/engine/jid"
	"meerkat/engine/stanza"
	"meerkat/xml"
)

// item is what presence says of an occupant besides what it is (§7.2.3).
type item struct {
	gone   bool   // unavailable
	nick   string // the new one
	actor  string // nick of who did it
	reason string
	status string // of who leaves, content of the presence
	codes  []int
	self   []int // more of them to the occupant itself
	id     string
	more   func(b *xml.Builder) // into <x/>
	hidden bool                 // only the occupant itself and moderators are told
	only   *seat                // one session of the occupant, not the others
}

// build appends o's presence, to nobody if to is nil. real says whether real
// addresses are shown, self whether o itself gets it. Who enters a room is shown
// everybody in it, so nothing here allocates.
func (r *room) build(dst []byte, o *occupant, it *item, to *seat, real, self bool) []byte {
	shown := o.look.Value()
	dst = r.appendFrom(append(dst, "<presence from='"...), o)
	if to != nil {
		dst = appendEscaped(append(dst, "' to='"...), to.jid.String())
	}
	if it.gone {
		dst = append(dst, "' type='unavailable"...)
	}
	if self && it.id != "" {
		dst = appendEscaped(append(dst, "' id='"...), it.id)
	}
	if shown.lang != "" {
		dst = appendEscaped(append(dst, "' xml:lang='"...), shown.lang)
	}
	dst = append(dst, "'>"...)
	if it.gone {
		dst = append(dst, it.status...)
	} else {
		dst = append(dst, shown.content...)
	}
	dst = append(o.id.append(dst), "<x xmlns='"+userSpace+"'>"...)
	dst = r.buildItem(dst, o, it, real)
	if it.more != nil {
		var b xml.Builder
		b.Reset(dst, userSpace)
		it.more(&b)
		dst = b.Bytes()
	}
	dst = appendCodes(dst, it.codes)
	if self {
		dst = append(appendCodes(dst, it.self), "<status code='110'/>"...)
	}
	return append(dst, "</x></presence>"...)
}

// appendFrom appends the address of o in an attribute. That of the room is
// always plain.
func (r *room) appendFrom(dst []byte, o *occupant) []byte {
	return appendEscaped(append(append(dst, r.jid.String()...), '/'), o.nick)
}

func appendEscaped(dst []byte, s string) []byte { return xml.AppendEscapedAttrString(dst, s) }

func (r *room) buildItem(dst []byte, o *occupant, it *item, real bool) []byte {
	shown := o.role
	if it.gone && it.nick == "" {
		shown = noRole
	}
	dst = append(append(dst, "<item affiliation='"...), o.aff.String()...)
	dst = append(append(dst, "' role='"...), shown.String()...)
	if it.nick != "" {
		dst = appendEscaped(append(dst, "' nick='"...), it.nick)
	}
	if real {
		st := it.only
		if st == nil {
			st = o.last
		}
		dst = appendEscaped(append(dst, "' jid='"...), st.jid.String())
	}
	if it.actor == "" && it.reason == "" {
		return append(dst, "'/>"...)
	}
	dst = append(dst, "'>"...)
	if it.actor != "" {
		dst = append(appendEscaped(append(dst, "<actor nick='"...), it.actor), "'/>"...)
	}
	if it.reason != "" {
		dst = append(xml.AppendEscapedString(append(dst, "<reason>"...), it.reason), "</reason>"...)
	}
	return append(dst, "</item>"...)
}

func appendCodes(dst []byte, codes []int) []byte {
	for _, c := range codes {
		dst = append(strconv.AppendInt(append(dst, "<status code='"...), int64(c), 10), "'/>"...)
	}
	return dst
}

func buildCodes(b *xml.Builder, codes []int) {
	for _, c := range codes {
		b.Start("status", "").AttrInt("code", int64(c)).End()
	}
}

// knows reports whether o sees the real addresses of others.
func (r *room) knows(o *occupant) bool { return r.set.Whois || o.role == moderator }

// broadcast tells everybody what it says of o: serialised once for those who
// see addresses and once for those who do not.
func (r *room) broadcast(o *occupant, it *item) {
	for _, real := range []bool{false, true} {
		if !r.anybody(o, it, real) {
			continue
		}
		b := r.build(r.env.Scratch(), o, it, nil, real, false)
		r.env.Router.Fan(b, func(yield func(jid.JID)) {
			for _, to := range r.list {
				if r.tells(o, to, it, real) {
					r.reachAll(to, b, yield)
				}
			}
		})
		r.env.Keep(b)
	}
	r.tellSelf(o, it)
}

func (r *room) anybody(o *occupant, it *item, real bool) bool {
	for _, to := range r.list {
		if r.tells(o, to, it, real) {
			return true
		}
	}
	return false
}

func (r *room) tells(o, to *occupant, it *item, real bool) bool {
	return to != o && r.knows(to) == real && (!it.hidden || to.role == moderator)
}

func (r *room) tellSelf(o *occupant, it *item) {
	b := r.build(r.env.Scratch(), o, it, nil, r.knows(o), true)
	defer r.env.Keep(b)
	r.env.Router.Fan(b, func(yield func(jid.JID)) {
		if it.only != nil {
			r.reach(it.only, b, yield)
			return
		}
		r.reachAll(o, b, yield)
	})
}

// reachAll yields o's sessions.
func (r *room) reachAll(o *occupant, b []byte, yield func(jid.JID)) {
	for st := range o.seats() {
		r.reach(st, b, yield)
	}
}

// sendTo sends one session what has no address yet.
func (r *room) sendTo(st *seat, b []byte) {
	r.env.Router.Fan(b, func(yield func(jid.JID)) { r.reach(st, b, yield) })
}

// hides reports whether o's presence is kept from others: presencebroadcast.
func (r *room) hides(o *occupant) bool { return !r.set.Broadcast.has(o.role) }

// update tells everybody what o is now.
func (r *room) update(o *occupant, it *item) {
	it.hidden = it.hidden || r.hides(o)
	r.broadcast(o, it)
}

// content returns the children of presence that others may see: not what only
// the room says (rule 17).
func (r *room) content(e xml.Elem) (b []byte) {
	for ch := e.First(); ch.OK(); ch = ch.Next() {
		if !r.forged(ch) {
			b = ch.AppendTo(b, stanza.Client)
		}
	}
	return b
}

// forged reports whether only the room may say this.
func (r *room) forged(ch xml.Elem) bool {
	switch string(ch.Space()) {
	case mucSpace, userSpace, occupantSpace:
		return true
	case retractSpace: // only the room says what moderators do (XEP-0425 §5)
		return ch.Child("moderated", moderateSpace).OK()
	case stanzaIDSpace:
		return string(ch.Local()) == "stanza-id" && r.isMine(ch.Attr("by"))
	case delaySpace:
		return r.isMine(ch.Attr("from"))
	}
	return false
}

func (r *room) isMine(by []byte) bool {
	j, err := jid.View(by)
	return err == nil && (j.Bare() == r.jid || j.String() == r.jid.Domain())
}
