package muc

import (
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

// build appends o's presence. real says whether real addresses are shown, self
// whether o itself gets it.
func (r *room) build(dst []byte, o *occupant, it *item, real, self bool) []byte {
	var b xml.Builder
	b.Reset(dst, stanza.Client).Start("presence", "").AttrBytes("from", r.address(o))
	if it.gone {
		b.Attr("type", "unavailable")
	}
	if self {
		b.OptAttr("id", it.id)
	}
	shown := o.look.Value()
	b.OptAttr("xml:lang", shown.lang)
	if it.gone {
		b.Raw([]byte(it.status))
	} else {
		b.Raw([]byte(shown.content))
	}
	b.Start("occupant-id", occupantSpace).Attr("id", o.id.String()).End()
	b.Start("x", userSpace)
	r.buildItem(&b, o, it, real)
	if it.more != nil {
		it.more(&b)
	}
	buildCodes(&b, it.codes)
	if self {
		buildCodes(&b, it.self)
		buildCodes(&b, []int{110})
	}
	return b.End().End().Bytes()
}

func (r *room) buildItem(b *xml.Builder, o *occupant, it *item, real bool) {
	shown := o.role
	if it.gone && it.nick == "" {
		shown = noRole
	}
	b.Start("item", "").Attr("affiliation", o.aff.String()).Attr("role", shown.String()).OptAttr("nick", it.nick)
	if real {
		st := it.only
		if st == nil {
			st = o.last
		}
		b.Attr("jid", st.jid.String())
	}
	if it.actor != "" {
		b.Start("actor", "").Attr("nick", it.actor).End()
	}
	if it.reason != "" {
		b.Start("reason", "").Text(it.reason).End()
	}
	b.End()
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
		b := r.build(r.env.Scratch(), o, it, real, false)
		r.env.Router.Fan(b, func(yield func(string)) {
			for _, to := range r.list {
				if r.tells(o, to, it, real) {
					yieldAll(to, yield)
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
	b := r.build(r.env.Scratch(), o, it, r.knows(o), true)
	defer r.env.Keep(b)
	r.env.Router.Fan(b, func(yield func(string)) {
		if it.only != nil {
			yield(it.only.jid.String())
			return
		}
		yieldAll(o, yield)
	})
}

func yieldAll(o *occupant, yield func(string)) {
	for st := range o.seats() {
		yield(st.jid.String())
	}
}

// sendTo sends one session what has no address yet.
func (r *room) sendTo(st *seat, b []byte) {
	r.env.Router.Fan(b, func(yield func(string)) { yield(st.jid.String()) })
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
