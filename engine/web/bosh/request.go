package bosh

import (
	"strconv"
	"sync"

	"meerkat/engine/wire"
	"meerkat/xml"
)

// request is what a client asks by one body, and where the answer goes.
type request struct {
	sid    string // "" makes a session
	rid    uint64
	size   int    // bytes of the body
	frames []byte // its elements, as frames of a client
	empty  bool   // there are none

	ack     uint64 // the last answer that the client has, 0 if it does not say
	pause   int    // s; 0: none
	end     bool   // type='terminate'
	restart bool   // xmpp:restart

	// Of the first one.
	to, from, lang string
	wait, hold     int
	acks           bool // the client acknowledges

	secure bool
	answer chan answer // has room for one
}

// answer is the body of an HTTP response.
type answer struct {
	status int
	body   []byte
}

func (r *request) reply(a answer) {
	if r.answer != nil {
		r.answer <- a
		r.answer = nil
	}
}

// maxRID is the largest request id (XEP-0124 §14.1): a script's number holds it
// exactly.
const maxRID = 1<<53 - 1

// parsers are for the goroutines of net/http.
var parsers = sync.Pool{New: func() any { return xml.NewParser() }}

// parse reads a body (XEP-0124 §7, §8, §14). It returns nil if it is malformed.
func parse(b []byte, lim *xml.Limits) *request {
	p := parsers.Get().(*xml.Parser)
	defer parsers.Put(p)
	var s xml.State
	s.Framed()
	kind, e, n, err := p.Next(&s, b, lim)
	if s.Partial() {
		p.Drop(&s)
		return nil
	}
	if err != nil || kind != xml.Element || len(spaces(b[n:])) > 0 || !e.Is("body", nsBind) || e.HasText() {
		return nil
	}
	r := &request{size: len(b), answer: make(chan answer, 1)}
	if !r.attributes(e) {
		return nil
	}
	var buf []byte
	for c := e.First(); c.OK(); c = c.Next() {
		buf = c.AppendTo(buf[:0], "")
		r.frames = wire.AppendMessage(r.frames, buf)
	}
	r.empty = len(r.frames) == 0
	return r
}

// spaces cuts white space off the start of b.
func spaces(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

func (r *request) attributes(e xml.Elem) bool {
	ok := true
	number := func(name string, most uint64) uint64 {
		v := e.Attr(name)
		if v == nil {
			return 0
		}
		n, err := strconv.ParseUint(string(v), 10, 64)
		ok = ok && err == nil && n <= most && v[0] != '+'
		return n
	}
	r.rid = number("rid", maxRID)
	r.ack = number("ack", maxRID)
	r.pause = int(number("pause", 1<<20))
	r.wait, r.hold = int(number("wait", 1<<20)), int(number("hold", 1<<20))
	r.acks = e.Attr("ack") != nil
	r.sid = string(e.Attr("sid"))
	kind := string(e.Attr("type"))
	r.end = kind == "terminate"
	restart := string(e.AttrNS("restart", nsXMPP))
	r.restart = restart == "true" || restart == "1"
	r.to, r.from, r.lang = string(e.Attr("to")), string(e.Attr("from")), string(e.Lang())
	return ok && r.rid > 0 && (kind == "" || r.end)
}
