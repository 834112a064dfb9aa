// Package rsm pages through results (XEP-0059 1.0): what a client asks for, which
// items that is, and what the answer says. It knows not what the items are.
package rsm

import (
	"strconv"

	"meerkat/xml"
)

// Space is the namespace of result set management.
const Space = "http://jabber.org/protocol/rsm"

// Request is which page is asked for. After and Before borrow nothing.
type Request struct {
	Present bool // there is a <set/> at all
	Max     int  // at most so many items; -1: no limit is named
	Index   int  // the first item by number (§2.6); -1: none is named

	After     string // items behind this one
	HasAfter  bool
	Before    string // items in front of this one, the nearest; "": the last ones
	HasBefore bool
}

// Read reads the <set/> that is a child of parent. It returns false if that has
// numbers that are none.
func Read(parent xml.Elem) (r Request, ok bool) {
	e := parent.Child("set", Space)
	r = Request{Present: e.OK(), Max: -1, Index: -1}
	for c := e.First(); c.OK(); c = c.Next() {
		if string(c.Space()) != Space {
			continue
		}
		text := string(c.Text())
		switch string(c.Local()) {
		case "max":
			r.Max, ok = number(text)
		case "index":
			r.Index, ok = number(text)
		case "after":
			r.After, r.HasAfter, ok = text, true, true
		case "before":
			r.Before, r.HasBefore, ok = text, true, true
		default:
			ok = true
		}
		if !ok {
			return r, false
		}
	}
	return r, true
}

func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}

// Limit returns how many items a page may have: what is asked for, or usual where
// nothing is, and never more than most.
func (r Request) Limit(usual, most int) int {
	if r.Max < 0 {
		return min(usual, most)
	}
	return min(r.Max, most)
}

// Backwards reports whether the page is the end of what matches, not the
// beginning (§2.3, §2.5).
func (r Request) Backwards() bool { return r.HasBefore }

// Slice returns which of n items a page has, from first up to and without end:
// of those behind after and in front of before, numbers of the items named, or
// -1 and n. Limit is as in Limit.
func (r Request) Slice(after, before, limit int) (first, end int) {
	first, end = after+1, max(before, after+1)
	switch {
	case r.Index >= 0 && !r.HasAfter && !r.HasBefore:
		first = min(first+r.Index, end)
		end = min(end, first+limit)
	case r.Backwards():
		first = max(first, end-limit)
	default:
		end = min(end, first+limit)
	}
	return first, end
}

// Page is what an answer says of its items.
type Page struct {
	First, Last string // ids; "" if there are no items
	Index       int    // number of First; -1: not known
	Count       int    // of all there are; -1: not known
}

// Append writes the <set/> of an answer.
func (p Page) Append(b *xml.Builder) {
	b.Start("set", Space)
	if p.First != "" {
		b.Start("first", Space)
		if p.Index >= 0 {
			b.AttrInt("index", int64(p.Index))
		}
		b.Text(p.First).End()
		b.Start("last", Space).Text(p.Last).End()
	}
	if p.Count >= 0 {
		b.Start("count", Space).Text(strconv.Itoa(p.Count)).End()
	}
	b.End()
}
