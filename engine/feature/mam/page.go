package mam

import (
	"slices"

	"meerkat/engine/jid"
	"meerkat/engine/rsm"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// maxPageBytes ends a page early: the rest is for the next one.
const maxPageBytes = 1 << 20

// stamp is how times are written (XEP-0082), with all that a row knows, so that a
// client that asks for what is after a message does not get it again.
const stamp = "2006-01-02T15:04:05.000000Z"

// page is the answer to a query: made off the loop.
type page struct {
	archive *store.Archive
	owner   string
	to      string // full JID of who asked
	f       *filter
	r       *store.Reader
	doc     xml.Doc

	rows     []int // numbers of what is in it, as it was found
	stanzas  []byte
	ends     []int // where each stanza ends
	n        numbers
	complete bool
	count    int // -1: not known
	names    []string
}

// make reads the page. The condition is that of the answer, OK for results.
func (p *page) make(tx *store.Tx, oldest uint64) (c stanza.Condition, err error) {
	if p.r, err = p.archive.Read(tx, p.owner); err != nil {
		return stanza.OK, err
	}
	if p.n, c = p.f.numbersOf(p.r, oldest); c != stanza.OK {
		return c, nil
	}
	if p.f.byID {
		if c = p.sortIDs(oldest); c != stanza.OK {
			return c, nil
		}
	}
	p.complete = true
	p.each(func(i int) bool { return p.take(i, &err) })
	if p.count = -1; p.f.with.IsZero() && !p.f.byID {
		p.count = p.n.hi - p.n.lo
	} else if p.f.limit == 0 && err == nil {
		p.count = p.countAll()
	}
	return stanza.OK, err
}

// sortIDs makes the ids that are asked for numbers of rows, of those that match
// otherwise, in order.
func (p *page) sortIDs(oldest uint64) stanza.Condition {
	for _, seq := range p.f.ids {
		i := p.r.Search(seq)
		if i == p.r.Len() || seq < oldest {
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
func (p *page) each(fn func(i int) bool) {
	lo, hi := p.n.pageLo, p.n.pageHi
	back := p.f.page.Backwards()
	switch {
	case p.f.byID:
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
	case !p.f.with.IsZero():
		if back {
			lo, hi = hi, lo
		}
		p.r.Tagged(store.Tag(p.f.with.BareString()), lo, hi, fn)
	case back:
		for i := hi - 1; i >= lo && fn(i); i-- {
		}
	default:
		for i := lo; i < hi && fn(i); i++ {
		}
	}
}

// take puts row i into the page, or finds that the page is full.
func (p *page) take(i int, err *error) bool {
	v, e := p.r.Value(i)
	if e != nil {
		*err = e
		return false
	}
	if v == nil || !p.matches(v) {
		return true
	}
	if len(p.rows) >= p.f.limit || len(p.stanzas) > maxPageBytes {
		p.complete = false
		return false
	}
	p.add(i, v)
	return true
}

// matches holds a message against the address asked for: as it is, or both sides
// without a resource if it has none (XEP-0313 §4.1.1).
func (p *page) matches(v []byte) bool {
	with := p.f.with
	if with.IsZero() {
		return true
	}
	e, err := p.doc.Parse(v, stanza.Client)
	if err != nil {
		return false
	}
	from, err1 := jid.View(e.Attr("from"))
	to, err2 := jid.View(e.Attr("to"))
	if err1 != nil || err2 != nil {
		return false
	}
	if with.IsFull() {
		return from == with || to == with
	}
	if with.String() == p.owner {
		return from.Bare() == with && to.Bare() == with
	}
	return from.Bare() == with || to.Bare() == with
}

// add appends the message that shows a row.
func (p *page) add(i int, v []byte) {
	seq, _ := p.r.At(i)
	name := p.archive.Name(p.owner, seq)
	var b xml.Builder
	b.Reset(p.stanzas, stanza.Client)
	b.Start("message", "").Attr("from", p.owner).Attr("to", p.to)
	b.Start("result", space)
	if p.f.id != nil {
		b.AttrBytes("queryid", p.f.id)
	}
	b.Attr("id", name)
	b.Start("forwarded", "urn:xmpp:forward:0")
	b.Start("delay", "urn:xmpp:delay").Attr("stamp", store.TimeOf(seq).Format(stamp)).End()
	// A row begins with "<message", in the default namespace.
	b.Raw([]byte("<message xmlns='" + stanza.Client + "'")).Raw(v[len("<message"):])
	p.stanzas = b.End().End().End().Bytes()
	p.rows, p.names, p.ends = append(p.rows, i), append(p.names, name), append(p.ends, len(p.stanzas))
}

// countAll counts what matches by id or address; only where no page is asked for.
func (p *page) countAll() (n int) {
	if p.f.byID {
		for _, seq := range p.f.ids {
			if i := p.r.Search(seq); i >= p.n.lo && i < p.n.hi {
				n++
			}
		}
		return n
	}
	p.r.Tagged(store.Tag(p.f.with.BareString()), p.n.lo, p.n.hi, func(int) bool { n++; return true })
	return n
}

// send calls write for each stanza: the oldest first, or the newest if the page is
// to be flipped.
func (p *page) send(write func(b []byte)) {
	at := func(k int) []byte {
		from := 0
		if k > 0 {
			from = p.ends[k-1]
		}
		return p.stanzas[from:p.ends[k]]
	}
	if p.f.page.Backwards() != p.f.flip {
		for k := len(p.ends) - 1; k >= 0; k-- {
			write(at(k))
		}
		return
	}
	for k := range p.ends {
		write(at(k))
	}
}

// fin writes the end of the answer: always in order of time, flipped or not.
func (p *page) fin(b *xml.Builder) {
	b.Start("fin", space)
	if p.complete {
		b.Attr("complete", "true")
	}
	out := rsm.Page{Index: -1, Count: p.count}
	if n := len(p.names); n > 0 {
		first, last := 0, n-1
		if p.f.page.Backwards() {
			first, last = last, first
		}
		out.First, out.Last = p.names[first], p.names[last]
		if p.f.with.IsZero() && !p.f.byID {
			out.Index = p.rows[first] - p.n.lo
		}
	}
	out.Append(b)
	b.End()
}
