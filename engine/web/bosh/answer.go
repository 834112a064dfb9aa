package bosh

import (
	"net/http"
	"slices"
	"time"

	"meerkat/xml"
)

var emptyBody = []byte("<body xmlns='" + nsBind + "'/>")

// statuses are what conditions have besides 200, for clients that look at
// nothing else (XEP-0124 §17.1).
var statuses = map[string]int{
	"bad-request":      http.StatusBadRequest,
	"policy-violation": http.StatusForbidden,
	"item-not-found":   http.StatusNotFound,
}

// terminal is the answer that there is no session, or no more (XEP-0124 §17.2).
func terminal(condition string) answer {
	count(condition)
	var b xml.Builder
	b.Reset(nil, "").Start("body", nsBind).Attr("type", "terminate").OptAttr("condition", condition)
	return answer{statusOf(condition), b.End().Bytes()}
}

func count(condition string) {
	if i := slices.Index(conditions, condition); i >= 0 {
		ended.Add(0, i, 1)
	}
}

func statusOf(condition string) int {
	if st, ok := statuses[condition]; ok {
		return st
	}
	return http.StatusOK
}

// answerOne answers the oldest request that can be, with all there is to say.
func (s *session) answerOne() {
	i := slices.IndexFunc(s.held, func(h held) bool { return !h.lost })
	if i < 0 {
		return
	}
	h := s.held[i]
	s.held = slices.Delete(s.held, i, i+1)
	a := answer{http.StatusOK, s.body(h.rid)}
	if s.over {
		a.status = statusOf(s.condition)
	}
	s.sent = append(s.sent, sent{h.rid, a, len(s.out)})
	s.unread += len(s.out)
	s.out = nil
	s.begun = true
	h.reply(a)
}

// body is the answer to a request (XEP-0124 §7.2, §8).
func (s *session) body(rid uint64) []byte {
	var b xml.Builder
	b.Reset(make([]byte, 0, 256+len(s.out)), "").Start("body", nsBind)
	if !s.begun && !s.over {
		s.describe(&b)
	}
	if s.acks && (s.last != rid || !s.begun) {
		b.AttrInt("ack", int64(s.last))
	}
	if s.over {
		b.Attr("type", "terminate").OptAttr("condition", s.condition)
	}
	if len(s.out) > 0 {
		b.Raw(s.out)
	}
	return b.End().Bytes()
}

// describe adds what the first answer has (XEP-0124 §7.2, XEP-0206 §3).
func (s *session) describe(b *xml.Builder) {
	opt := s.srv.opt.HTTP
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	b.Attr("sid", s.sid).Attr("ver", version).OptAttr("from", s.from).OptAttr("authid", s.authid)
	b.AttrInt("wait", seconds(s.wait)).AttrInt("hold", int64(s.hold)).AttrInt("requests", int64(s.window))
	b.AttrInt("inactivity", seconds(time.Duration(opt.BOSHInactivity))).AttrInt("maxpause", seconds(time.Duration(opt.BOSHPause)))
	if s.hold == 0 {
		b.AttrInt("polling", seconds(polling))
	}
	b.Attr("xmlns:xmpp", nsXMPP).Attr("xmpp:version", "1.0").Attr("xmpp:restartlogic", "true")
}
