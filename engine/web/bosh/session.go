package bosh

import (
	"errors"
	"io"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"meerkat/engine/loop"
	"meerkat/engine/wire"
	"meerkat/xml"
)

// session is a client's (XEP-0124 §7). All but loop is touched only on the loop
// it names; post gets there.
type session struct {
	srv  *Server
	sid  string
	loop atomic.Pointer[loop.Loop]
	w    *wire.Conn

	// As agreed on by the first request.
	wait   time.Duration
	hold   int // requests left without an answer
	window int // requests a client may have under way
	acks   bool
	secure bool

	last   uint64     // rid of the newest request that has had its turn
	parked []*request // whose turn has not come
	held   []held     // that have had it and wait for an answer, oldest first
	sent   []sent     // answers, to be given again, oldest first
	out    []byte     // elements for the next answer
	unread int        // bytes of elements in answers that the client is not known to have

	timer  loop.Timer // wait of the oldest request held, or inactivity
	quiet  time.Time  // since when there has been no request
	polled time.Time  // when the last empty request of a polling client came
	pause  time.Duration

	authid, from string // of the stream
	begun        bool   // the first answer is out
	choked       bool   // the stream reads no more for now
	awake        bool   // settle is on its way
	over         bool
	condition    string // why it is over
}

type held struct {
	*request
	rid   uint64
	since time.Time
	lost  bool // its connection is gone; the client may ask again
}

type sent struct {
	rid uint64
	answer
	size int // bytes of elements that are not acknowledged
}

// errGone is what the stream of a session hears that ends in another way than
// by its own words.
var errGone = errors.New("bosh: session has ended")

// post runs fn on the session's loop.
func (s *session) post(fn func()) {
	l := s.loop.Load()
	l.Post(func() {
		if s.loop.Load() != l {
			s.post(fn)
			return
		}
		fn()
	})
}

// start makes the stream of a new session (XEP-0124 §7.1).
func (s *session) start(r *request, client netip.Addr) {
	opt := &s.srv.opt
	s.timer.Owner = s
	s.wait = min(time.Duration(r.wait)*time.Second, time.Duration(opt.HTTP.BOSHWait))
	s.hold = min(r.hold, maxHold)
	if s.wait == 0 {
		s.hold = 0
	}
	s.window, s.acks, s.secure = s.hold+1, r.acks, r.secure
	s.last = r.rid - 1
	s.srv.sessions.Store(s.sid, s)
	sessionsOpen.Add(s.shard(), 1)
	made.Add(s.shard(), 1)
	s.w = opt.Wire.Virtual(s.loop.Load(), s, client, r.secure, opt.Stream(), opt.FirstMessage)
	if s.w == nil {
		r.reply(terminal("policy-violation"))
		s.Gone()
		return
	}
	r.frames = append(wire.AppendMessage(nil, opening(r)), r.frames...)
	s.handle(r)
}

// maxHold is how many requests are left without an answer at most. More than
// one serves nobody (XEP-0124 §7.1).
const maxHold = 1

// polling is how long a client that polls has to wait between two empty
// requests (XEP-0124 §12).
const polling = 5 * time.Second

// opening is the header of the stream (XEP-0206 §3, §5).
func opening(r *request) []byte {
	var b xml.Builder
	b.Reset(nil, "").Start("open", nsOpen).OptAttr("to", r.to).OptAttr("from", r.from)
	return b.Attr("version", "1.0").OptAttr("xml:lang", r.lang).End().Bytes()
}

func (s *session) shard() int { return s.loop.Load().Index }

func (s *session) now() time.Time { return s.loop.Load().Now() }

// handle takes a request (XEP-0124 §14).
func (s *session) handle(r *request) {
	switch {
	case s.over || s.secure && !r.secure:
		r.reply(terminal("item-not-found"))
	case r.size > s.w.MessageLimit()+maxEnvelope:
		s.fail(r, "policy-violation")
	case r.rid <= s.last:
		s.repeat(r)
	case r.rid > s.last+uint64(s.window):
		s.fail(r, "item-not-found")
	default:
		s.park(r)
		s.advance()
	}
}

// maxEnvelope is what a body may have besides what a message of a WebSocket
// may.
const maxEnvelope = 1024

// repeat answers a request that has come before, because the client's
// connection broke (XEP-0124 §14.3).
func (s *session) repeat(r *request) {
	repeats.Add(s.shard(), 1)
	for i := range s.sent {
		if s.sent[i].rid == r.rid {
			r.reply(s.sent[i].answer)
			return
		}
	}
	for i := range s.held {
		if h := &s.held[i]; h.rid == r.rid {
			h.reply(answer{200, emptyBody})
			h.request, h.lost = r, false
			s.wake()
			return
		}
	}
	s.fail(r, "item-not-found")
}

// park keeps a request until its turn comes.
func (s *session) park(r *request) {
	for i, p := range s.parked {
		if p.rid == r.rid {
			p.reply(answer{200, emptyBody})
			s.parked[i] = r
			return
		}
	}
	s.parked = append(s.parked, r)
}

// advance gives the requests their turns that follow on one another.
func (s *session) advance() {
	for !s.choked && !s.over {
		i := slices.IndexFunc(s.parked, func(r *request) bool { return r.rid == s.last+1 })
		if i < 0 {
			return
		}
		r := s.parked[i]
		s.parked = slices.Delete(s.parked, i, i+1)
		s.take(r)
	}
}

// take gives a request its turn.
func (s *session) take(r *request) {
	s.last = r.rid
	s.acknowledge(r)
	if s.polls(r) || time.Duration(r.pause)*time.Second > time.Duration(s.srv.opt.HTTP.BOSHPause) {
		s.fail(r, "policy-violation")
		return
	}
	s.pause = time.Duration(r.pause) * time.Second
	s.held = append(s.held, held{request: r, rid: r.rid, since: s.now()})
	frames := r.frames
	if r.restart {
		frames = append(wire.AppendMessage(nil, opening(r)), frames...)
	}
	if r.end {
		frames = wire.AppendMessage(frames, []byte("<close xmlns='"+nsOpen+"'/>"))
	}
	r.frames = nil
	s.wake()
	if len(frames) > 0 {
		s.w.Feed(frames)
	}
}

// polls reports whether a client that polls does so too often.
func (s *session) polls(r *request) bool {
	if s.hold > 0 || !r.empty || r.end || r.restart || r.pause > 0 || !s.begun {
		return false
	}
	before := s.polled
	s.polled = s.now()
	return s.polled.Sub(before) < polling
}

// acknowledge notes what the client has, by a request that it could send only
// then (XEP-0124 §9).
func (s *session) acknowledge(r *request) {
	upTo := r.rid - 1
	if s.acks && r.ack > 0 {
		upTo = min(upTo, r.ack)
	}
	for i := range s.sent {
		if a := &s.sent[i]; a.rid <= upTo {
			s.unread -= a.size
			a.size = 0
		}
	}
	old := func(rid uint64) bool { return rid+2*uint64(s.window) < r.rid }
	s.sent = slices.DeleteFunc(s.sent, func(a sent) bool { return a.size == 0 && old(a.rid) })
	s.held = slices.DeleteFunc(s.held, func(h held) bool { return h.lost && old(h.rid) })
}

// drop notes that the connection of a request is gone.
func (s *session) drop(r *request) {
	for i := range s.held {
		if s.held[i].request == r {
			s.held[i].lost = true
			s.wake()
		}
	}
}

// wake has settle run when the turn is over, and the stream has said its part.
func (s *session) wake() {
	if !s.awake && !s.over {
		s.awake = true
		s.post(s.settle)
	}
}

// settle answers those requests that are to be answered now.
func (s *session) settle() {
	s.awake = false
	if s.over {
		return
	}
	if s.condition != "" {
		s.w.End(nil) // and Gone says goodbye
		return
	}
	if len(s.out) > 0 {
		s.answerOne()
	}
	hold := s.hold
	if s.pause > 0 {
		hold = 0
	}
	for s.live() > hold && s.begun {
		s.answerOne()
	}
	s.arm()
}

// live counts the requests held that can be answered.
func (s *session) live() (n int) {
	for i := range s.held {
		if !s.held[i].lost {
			n++
		}
	}
	return n
}

// arm sets the timer: for the oldest request held, or for the next one.
func (s *session) arm() {
	opt := s.srv.opt.HTTP
	at := s.quiet.Add(max(time.Duration(opt.BOSHInactivity), s.pause))
	if i := slices.IndexFunc(s.held, func(h held) bool { return !h.lost }); i >= 0 {
		s.quiet = time.Time{}
		at = s.held[i].since.Add(s.wait)
	} else if s.quiet.IsZero() {
		s.quiet = s.now()
		s.arm()
		return
	}
	s.loop.Load().Set(&s.timer, max(0, at.Sub(s.now())))
}

// Timeout is for the loop.
func (s *session) Timeout(*loop.Timer) {
	if s.over {
		return
	}
	if s.live() > 0 {
		s.answerOne()
		s.arm()
		return
	}
	expired.Add(s.shard(), 1)
	s.w.End(io.EOF)
}

// fail ends the session because of r, which breaks the rules.
func (s *session) fail(r *request, condition string) {
	s.condition = condition
	r.reply(terminal(condition))
	s.w.End(errGone)
}
