package archive

import (
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/form"
	"meerkat/engine/jid"
	"meerkat/engine/rsm"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// usualPage is how many messages a client gets that names no number.
const usualPage = 50

// maxIDs bounds how many messages a query may ask for by id.
const maxIDs = 1000

// Filter is what a query asks for. It borrows nothing.
type Filter struct {
	id         []byte // queryid; nil if there is none
	with       jid.JID
	from, to   uint64 // sequence numbers, both included
	after      uint64 // before-id and after-id; 0 if there is none
	before     uint64
	byID       bool
	ids        []uint64
	page       rsm.Request
	pageAfter  uint64 // what the page is to be behind, and in front of; 0: no matter
	pageBefore uint64
	flip       bool
	limit      int
}

// Fields answers with the form that a query may bring (XEP-0313 §4.1.5).
func Fields(c *feature.Ctx, q *stanza.Stanza) {
	c.Result(q, func(b *xml.Builder) {
		b.Start("query", Space)
		form.Start(b, form.Ask, Space).
			Field(form.Def{Var: "with", Type: form.JIDSingle}).
			Field(form.Def{Var: "start", Type: form.TextSingle}).
			Field(form.Def{Var: "end", Type: form.TextSingle}).
			Field(form.Def{Var: "before-id", Type: form.TextSingle}).
			Field(form.Def{Var: "after-id", Type: form.TextSingle}).
			Field(form.Def{Var: "ids", Type: form.ListMulti, Open: true}).
			Field(form.Def{Var: "include-groupchat", Type: form.Boolean}).
			End()
		b.End()
	})
}

// Source is an archive that is asked.
type Source struct {
	Archive *store.Archive
	Owner   string // bare JID, as rows have it
	Oldest  uint64 // the least sequence number that is shown, see Oldest
	Page    int    // most messages in one answer
}

// Read reads a query. The condition is what to answer with if it is not OK.
func (a *Source) Read(e xml.Elem) (*Filter, stanza.Condition) {
	l := &Filter{to: 1<<63 - 1, from: a.Oldest}
	if id := e.Attr("queryid"); id != nil {
		l.id = append([]byte{}, id...)
	}
	l.flip = e.Child("flip-page", Space).OK()
	var ok bool
	if l.page, ok = rsm.Read(e); !ok {
		return nil, stanza.BadRequest
	}
	l.limit = l.page.Limit(usualPage, a.Page)
	if x := form.Of(e); x.OK() {
		if !x.Submits() || !x.Is(Space) {
			return nil, stanza.BadRequest
		}
		for name, field := range x.Fields() {
			if cond := a.readField(l, name, field); cond != stanza.OK {
				return nil, cond
			}
		}
	}
	for _, p := range []struct {
		name string
		seq  *uint64
	}{{l.page.After, &l.pageAfter}, {l.page.Before, &l.pageBefore}} {
		if p.name == "" {
			continue // an empty before asks for the end
		}
		if *p.seq, ok = a.Archive.Parse(a.Owner, p.name); !ok {
			return nil, stanza.ItemNotFound
		}
	}
	if l.page.Index >= 0 && (l.byID || !l.with.IsZero()) {
		return nil, stanza.FeatureNotImplemented
	}
	return l, stanza.OK
}

// readField reads one field of the form. One that is not known is an error
// (XEP-0313 §4.1.5).
func (a *Source) readField(l *Filter, name string, field form.Field) stanza.Condition {
	v, ok := field.Value()
	if !ok && name != "ids" {
		return stanza.OK // an empty field asks for nothing
	}
	switch name {
	case "with":
		var err error
		if l.with, err = jid.Parse(v); err != nil {
			return stanza.JIDMalformed
		}
	case "start", "end":
		return l.readTime(name, v)
	case "before-id":
		l.before, ok = a.Archive.Parse(a.Owner, v)
		return found(ok)
	case "after-id":
		l.after, ok = a.Archive.Parse(a.Owner, v)
		return found(ok)
	case "ids":
		return a.readIDs(l, field)
	case "include-groupchat": // all of a room's are, none of a user's
		_, ok = field.Bool()
		return valid(ok)
	default:
		return stanza.FeatureNotImplemented
	}
	return stanza.OK
}

// readTime reads a DateTime of XEP-0082. Rows have microseconds.
func (l *Filter) readTime(name, v string) stanza.Condition {
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil {
		return stanza.BadRequest
	}
	if name == "end" {
		l.to = uint64(max(0, t.UnixMicro()))
		return stanza.OK
	}
	l.from = max(l.from, uint64(max(0, t.Add(time.Microsecond-1).UnixMicro())))
	return stanza.OK
}

func (a *Source) readIDs(l *Filter, field form.Field) stanza.Condition {
	l.byID = true
	for v := range field.Values() {
		seq, ok := a.Archive.Parse(a.Owner, v)
		if !ok {
			return stanza.ItemNotFound
		}
		if len(l.ids) == maxIDs {
			return stanza.PolicyViolation
		}
		l.ids = append(l.ids, seq)
	}
	return stanza.OK
}

func found(ok bool) stanza.Condition {
	if !ok {
		return stanza.ItemNotFound
	}
	return stanza.OK
}

func valid(ok bool) stanza.Condition {
	if !ok {
		return stanza.BadRequest
	}
	return stanza.OK
}

// numbers are the rows that match by time and id: from lo up to and without hi,
// and those of them that the page is taken from.
type numbers struct{ lo, hi, pageLo, pageHi int }

// numbersOf turns ids and times into numbers of rows; an id that is not there is
// an error (XEP-0313 §4.1.3, §4.3.2).
func (l *Filter) numbersOf(r *store.Reader, oldest uint64) (n numbers, c stanza.Condition) {
	first := r.Search(oldest)
	at := func(seq uint64) int {
		i := r.Search(seq)
		if i < r.Len() && i >= first {
			if s, _ := r.At(i); s == seq {
				return i
			}
		}
		c = stanza.ItemNotFound
		return 0
	}
	n.lo, n.hi = r.Search(l.from), r.Search(l.to+1)
	if l.after != 0 {
		n.lo = max(n.lo, at(l.after)+1)
	}
	if l.before != 0 {
		n.hi = min(n.hi, at(l.before))
	}
	n.hi = max(n.hi, n.lo)
	n.pageLo, n.pageHi = n.lo, n.hi
	if l.pageAfter != 0 {
		n.pageLo = max(n.lo, at(l.pageAfter)+1)
	}
	if l.pageBefore != 0 {
		n.pageHi = min(n.hi, at(l.pageBefore))
	}
	if l.page.Index > 0 && l.pageAfter == 0 && !l.page.HasBefore {
		n.pageLo = min(n.hi, n.lo+l.page.Index)
	}
	n.pageHi = max(n.pageHi, n.pageLo)
	return n, c
}
