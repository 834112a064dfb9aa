package archive

import (
	"bytes"
	"slices"

	"meerkat/engine/jid"
	"meerkat/engine/rsm"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// maxPageBytes ends a page early: the rest is for the next one.
const maxPageBytes = 1 << 20

// Stamp is how times are written (XEP-0082), with all that a row knows, so that a
// client that asks for what is after a message does not get it again.
const Stamp = "2006-01-02T15:04:05.000000Z"

// Page is the answer to a query: made off the loop.
type Page struct {
	Source
	To     string // full JID of who asked
	Filter *Filter
	// With, if not nil, says whether a message is one of Filter's With, a full JID
	// or a bare one. Else the addresses of both sides are looked at.
	With func(e xml.Elem, with jid.JID) bool
	// Tag, if not nil, returns what the messages with somebody are tagged with, or
	// false if that does not say it. Else it is the bare JID.
	Tag func(with jid.JID) (tag uint32, ok bool)
	// Edit, if not nil, returns what is shown of a message, nil for nothing. b is nil
	// if it has been blanked.
	Edit func(tx *store.Tx, seq uint64, b []byte) []byte

	tx     *store.Tx
	tagged uint32 // the tag that With's messages have; 0: all have to be looked at
	r      *store.Reader
	doc    xml.Doc

	rows     []int // numbers of what is in it, as it was found
	stanzas  []byte
	ends     []int // where each stanza ends
	n        numbers
	complete bool
	count    int // -1: not known
	names    []string
}

// Make reads the page. The condition is that of the answer, OK for results.
func (p *Page) Make(tx *store.Tx) (c stanza.Condition, err error) {
	p.tx = tx
	if p.r, err = p.Archive.Read(tx, p.Owner); err != nil {
		return stanza.OK, err
	}
	if p.n, c = p.Filter.numbersOf(p.r, p.Oldest); c != stanza.OK {
		return c, nil
	}
	if p.Filter.byID {
		if c = p.sortIDs(); c != stanza.OK {
			return c, nil
		}
	}
	p.complete, p.tagged = true, p.tag()
	p.each(func(i int) bool { return p.take(i, &err) })
	if p.count = -1; p.Filter.with.IsZero() && !p.Filter.byID {
		p.count = p.n.hi - p.n.lo
	} else if p.Filter.limit == 0 && err == nil {
		p.count = p.countAll()
	}
	return stanza.OK, err
}

// tag returns what the messages are tagged with that are asked for, 0 if nothing
// tells them from others.
func (p *Page) tag() uint32 {
	with := p.Filter.with
	switch {
	case with.IsZero():
		return 0
	case p.Tag == nil:
		return store.Tag(with.BareString())
	}
	if t, ok := p.Tag(with); ok {
		return t
	}
	return 0
}

// sortIDs makes the ids that are asked for numbers of rows, of those that match
// otherwise, in order.
func (p *Page) sortIDs() stanza.Condition {
	for _, seq := range p.Filter.ids {
		i := p.r.Search(seq)
		if i == p.r.Len() || seq < p.Oldest {
			return stanza.ItemNotFound
		}
		if s, _ := p.r.At(i); s != seq {
			return stanza.ItemNotFound
		}
		p.rows = append(p.rows, i)
	}
	slices.Sort(p.rows)
	p.rows = slices.Compact(p.rows)
	return stanza.OK
}

// each calls fn for the rows that the page may be taken from, in the direction of
// paging, until it returns false.
func (p *Page) each(fn func(i int) bool) {
	lo, hi := p.n.pageLo, p.n.pageHi
	back := p.Filter.page.Backwards()
	switch {
	case p.Filter.byID:
		ids := p.rows
		p.rows = nil
		if back {
			slices.Reverse(ids)
		}
		for _, i := range ids {
			if i >= lo && i < hi && !fn(i) {
				return
			}
		}
	case p.tagged != 0:
		if back {
			lo, hi = hi, lo
		}
		p.r.Tagged(p.tagged, lo, hi, fn)
	case back:
		for i := hi - 1; i >= lo && fn(i); i-- {
		}
	default:
		for i := lo; i < hi && fn(i); i++ {
		}
	}
}

// take puts row i into the page, or finds that the page is full.
func (p *Page) take(i int, err *error) bool {
	v, e := p.r.Value(i)
	if e != nil {
		*err = e
		return false
	}
	if p.Edit != nil {
		seq, _ := p.r.At(i)
		v = p.Edit(p.tx, seq, v)
	}
	if v == nil || !p.matches(v) {
		return true
	}
	if len(p.rows) >= p.Filter.limit || len(p.stanzas) > maxPageBytes {
		p.complete = false
		return false
	}
	p.add(i, v)
	return true
}

// matches holds a message against the address asked for: as it is, or both sides
// without a resource if it has none (XEP-0313 §4.1.1).
func (p *Page) matches(v []byte) bool {
	with := p.Filter.with
	if with.IsZero() {
		return true
	}
	e, err := p.doc.Parse(v, stanza.Client)
	if err != nil {
		return false
	}
	if p.With != nil {
		return p.With(e, with)
	}
	from, err1 := jid.View(e.Attr("from"))
	to, err2 := jid.View(e.Attr("to"))
	if err1 != nil || err2 != nil {
		return false
	}
	if with.IsFull() {
		return from == with || to == with
	}
	if with.String() == p.Owner {
		return from.Bare() == with && to.Bare() == with
	}
	return from.Bare() == with || to.Bare() == with
}

// add appends the message that shows a row.
func (p *Page) add(i int, v []byte) {
	seq, _ := p.r.At(i)
	name := p.Archive.Name(p.Owner, seq)
	var b xml.Builder
	b.Reset(p.stanzas, stanza.Client)
	b.Start("message", "").Attr("from", p.Owner).Attr("to", p.To)
	b.Start("result", Space)
	if p.Filter.id != nil {
		b.AttrBytes("queryid", p.Filter.id)
	}
	b.Attr("id", name)
	b.Start("forwarded", "urn:xmpp:forward:0")
	b.Start("delay", "urn:xmpp:delay").Attr("stamp", store.TimeOf(seq).Format(Stamp)).End()
	// A row begins with "<message", in the default namespace.
	body, end := p.cut(v)
	b.Raw([]byte("<message xmlns='" + stanza.Client + "'")).Raw(body)
	if end != nil {
		b.Raw(AppendID(nil, p.Archive, p.Owner, seq)).Raw(end)
	}
	p.stanzas = b.End().End().End().Bytes()
	p.rows, p.names, p.ends = append(p.rows, i), append(p.names, name), append(p.ends, len(p.stanzas))
}

// cut takes apart what follows "<message" in a row, where the id that it has here
// belongs: in front of its end-tag. A row that has it has no end.
func (p *Page) cut(v []byte) (body, end []byte) {
	body = v[len("<message"):]
	at := bytes.LastIndex(body, []byte("</"))
	if at < 0 || bytes.Contains(body, AppendIDStart(nil, p.Owner)) {
		return body, nil
	}
	return body[:at], body[at:]
}

// countAll counts what matches by id or address; only where no page is asked for.
func (p *Page) countAll() (n int) {
	if p.Filter.byID {
		for _, seq := range p.Filter.ids {
			if i := p.r.Search(seq); i >= p.n.lo && i < p.n.hi {
				n++
			}
		}
		return n
	}
	if p.tagged == 0 {
		return -1
	}
	p.r.Tagged(p.tagged, p.n.lo, p.n.hi, func(int) bool { n++; return true })
	return n
}

// Len returns how many messages are in the page.
func (p *Page) Len() int { return len(p.ends) }

// Send calls write for each stanza: the oldest first, or the newest if the page is
// to be flipped.
func (p *Page) Send(write func(b []byte)) {
	at := func(k int) []byte {
		from := 0
		if k > 0 {
			from = p.ends[k-1]
		}
		return p.stanzas[from:p.ends[k]]
	}
	if p.Filter.page.Backwards() != p.Filter.flip {
		for k := len(p.ends) - 1; k >= 0; k-- {
			write(at(k))
		}
		return
	}
	for k := range p.ends {
		write(at(k))
	}
}

// Fin writes the end of the answer: always in order of time, flipped or not.
func (p *Page) Fin(b *xml.Builder) {
	b.Start("fin", Space)
	if p.complete {
		b.Attr("complete", "true")
	}
	out := rsm.Page{Index: -1, Count: p.count}
	if n := len(p.names); n > 0 {
		first, last := 0, n-1
		if p.Filter.page.Backwards() {
			first, last = last, first
		}
		out.First, out.Last = p.names[first], p.names[last]
		if p.Filter.with.IsZero() && !p.Filter.byID {
			out.Index = p.rows[first] - p.n.lo
		}
	}
	out.Append(b)
	b.End()
}
