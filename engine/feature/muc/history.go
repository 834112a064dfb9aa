package muc

import (
	"bytes"
	"strconv"
	"time"

	"meerkat/engine/config"
	"meerkat/engine/stanza"
	"meerkat/store"
	"meerkat/xml"
)

// history is what was said last, the oldest first.
type history struct {
	said []said
	size int // bytes of all
}

// said is a message to everybody, without an address.
type said struct {
	seq uint64 // names it, and is its time
	b   []byte
}

func (s *said) at() time.Time { return store.TimeOf(s.seq) }

// keep adds a message, and forgets what is more than cfg allows.
func (h *history) keep(b []byte, seq uint64, cfg *config.Rooms) {
	h.said = append(h.said, said{seq, append([]byte(nil), b...)})
	h.size += len(b)
	for len(h.said) > cfg.History || h.size > int(cfg.HistorySize) {
		h.size -= len(h.said[0].b)
		h.said[0] = said{}
		h.said = h.said[1:]
		if len(h.said) == 0 {
			return
		}
	}
}

// pastRequest is how much of it somebody wants who enters (§7.2.14).
type pastRequest struct {
	most  int // messages, -1: no bound
	chars int // bytes of XML, -1: no bound
	since time.Time
	span  time.Duration // 0: no bound
	none  bool          // nothing at all
}

// readPast reads the <history/> in x. It reports false if that has values that
// are none.
func readPast(x xml.Elem) (p pastRequest, ok bool) {
	p = pastRequest{most: -1, chars: -1}
	e := x.Child("history", mucSpace)
	seconds := -1
	ok = readCount(e, "maxstanzas", &p.most) && readCount(e, "maxchars", &p.chars) && readCount(e, "seconds", &seconds)
	if v := e.Attr("since"); ok && v != nil {
		var err error
		p.since, err = time.Parse(time.RFC3339, string(v))
		ok = err == nil
	}
	p.none = seconds == 0
	p.span = time.Duration(max(seconds, 0)) * time.Second
	return p, ok
}

func readCount(e xml.Elem, name string, to *int) bool {
	v := e.Attr(name)
	if v == nil {
		return true
	}
	n, err := strconv.ParseUint(string(v), 10, 31)
	*to = int(n)
	return err == nil
}

// from returns the number of the first message that p wants, if at most limit
// are given.
func (h *history) from(p pastRequest, limit int, now time.Time) int {
	if p.most >= 0 {
		limit = min(limit, p.most)
	}
	if p.none {
		limit = 0
	}
	first, chars := len(h.said), 0
	for first > 0 && len(h.said)-first < limit {
		m := &h.said[first-1]
		chars += len(m.b)
		if p.chars >= 0 && chars > p.chars || m.at().Before(p.since) || p.span > 0 && now.Sub(m.at()) > p.span {
			break
		}
		first--
	}
	return first
}

// showPast gives a session what was said before (§7.2.13), with the time
// (XEP-0203).
func (r *room) showPast(st *seat, p pastRequest) {
	for _, m := range r.past.said[r.past.from(p, r.set.History, r.env.Now()):] {
		r.sendTo(st, delayed(m.b, r.jid.String(), m.at()))
	}
}

// delayed returns the message b with the time at its end.
func delayed(b []byte, from string, at time.Time) []byte {
	end := bytes.LastIndex(b, []byte("</")) // there is a body
	out := append([]byte(nil), b[:end]...)
	var x xml.Builder
	x.Reset(out, stanza.Client).Start("delay", delaySpace).Attr("from", from).
		Attr("stamp", at.UTC().Format("2006-01-02T15:04:05.000Z")).End()
	return append(x.Bytes(), b[end:]...)
}
