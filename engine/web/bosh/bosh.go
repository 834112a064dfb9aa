package bosh

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"meerkat/engine/config"
	"meerkat/engine/loop"
	"meerkat/engine/wire"
	"meerkat/xml"
)

// Options of a Server.
type Options struct {
	HTTP  *config.HTTP
	Group *loop.Group
	Wire  *wire.Server
	// Limits of a body, once its session may send stanzas.
	Limits xml.Limits
	// Stream returns a new stream, of whose messages the first ones may have
	// FirstMessage bytes.
	Stream       func() wire.Framed
	FirstMessage int
}

// Server answers the requests of BOSH clients.
type Server struct {
	opt      Options
	sessions sync.Map // sid to *session
	count    atomic.Int64
	next     atomic.Uint32
}

// New returns a handler for requests of BOSH.
func New(opt Options) *Server {
	opt.Limits.Bytes += maxEnvelope
	opt.Limits.Depth++ // the body
	opt.Limits.Elems++
	return &Server{opt: opt}
}

// ServeHTTP answers one request, when there is something to say.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.share(w, r) {
		return
	}
	b, err := s.read(r)
	if err != nil {
		write(w, err.(*refused).answer)
		return
	}
	q := parse(b, &s.opt.Limits)
	if q == nil {
		s.abandon(b)
		write(w, terminal("bad-request"))
		return
	}
	q.secure = r.URL.Scheme == "https"
	done := q.answer
	leave := s.hand(q, client(r))
	select {
	case a := <-done:
		write(w, a)
	case <-r.Context().Done():
		leave()
	}
}

// hand gives a request to its session, or makes one. The function it returns is
// for the time when nobody waits for the answer any more.
func (s *Server) hand(q *request, client netip.Addr) (leave func()) {
	if q.sid == "" {
		return s.create(q, client)
	}
	v, ok := s.sessions.Load(q.sid)
	if !ok {
		q.reply(terminal("item-not-found"))
		return func() {}
	}
	sess := v.(*session)
	sess.post(func() { sess.handle(q) })
	return func() { sess.post(func() { sess.drop(q) }) }
}

func (s *Server) create(q *request, client netip.Addr) (leave func()) {
	if s.count.Add(1) > int64(s.opt.HTTP.BOSHSessions) {
		s.count.Add(-1)
		q.reply(terminal("policy-violation"))
		return func() {}
	}
	sess := &session{srv: s, sid: newSID()}
	sess.loop.Store(s.opt.Group.At(int(s.next.Add(1)) % s.opt.Group.Len()))
	sess.post(func() { sess.start(q, client) })
	return func() { sess.post(func() { sess.drop(q) }) }
}

// newSID returns 128 random bits.
func newSID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// abandon ends the session that a malformed body names: nobody knows what it
// was to say.
func (s *Server) abandon(b []byte) {
	v, ok := s.sessions.Load(findSID(b))
	if !ok {
		return
	}
	sess := v.(*session)
	sess.post(func() {
		if !sess.over {
			sess.fail(&request{}, "bad-request")
		}
	})
}

// refused is a request that is answered before it is read to its end.
type refused struct{ answer }

func (*refused) Error() string { return "bosh: refused" }

// slack behind a body saves the parser a copy.
const slack = 64

// read returns the body. One that is large is read only for a session that
// there is (rule of size).
func (s *Server) read(r *http.Request) ([]byte, error) {
	most := int64(s.opt.Limits.Bytes)
	if r.ContentLength > most {
		return nil, &refused{answer{http.StatusRequestEntityTooLarge, terminal("policy-violation").body}}
	}
	first := min(r.ContentLength, int64(s.opt.FirstMessage+maxEnvelope))
	b := make([]byte, first, first+slack)
	if _, err := io.ReadFull(r.Body, b); err != nil {
		return nil, &refused{terminal("bad-request")}
	}
	if first == r.ContentLength {
		return b, nil
	}
	if _, ok := s.sessions.Load(findSID(b)); !ok {
		return nil, &refused{terminal("item-not-found")}
	}
	b = append(make([]byte, 0, r.ContentLength+slack), b...)[:r.ContentLength]
	if _, err := io.ReadFull(r.Body, b[first:]); err != nil {
		return nil, &refused{terminal("bad-request")}
	}
	return b, nil
}

// findSID returns what looks like the sid in the first tag of a body.
func findSID(b []byte) string {
	tag, _, _ := bytes.Cut(b, []byte(">"))
	_, rest, ok := bytes.Cut(tag, []byte("sid="))
	if !ok || len(rest) == 0 {
		return ""
	}
	sid, _, _ := bytes.Cut(rest[1:], rest[:1])
	return string(sid)
}

// client is where a request comes from.
func client(r *http.Request) netip.Addr {
	ap, _ := netip.ParseAddrPort(r.RemoteAddr)
	return ap.Addr()
}

func write(w http.ResponseWriter, a answer) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// share lets scripts of other origins use BOSH, as far as the configuration
// does. It reports false if the request is dealt with.
func (s *Server) share(w http.ResponseWriter, r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" {
		if !s.opt.HTTP.Allows(origin, r.Host) {
			http.Error(w, "pages of this origin may not connect here (http.origins)", http.StatusForbidden)
			return false
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Methods", "POST, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Content-Type")
		h.Set("Access-Control-Max-Age", "86400")
	}
	switch r.Method {
	case http.MethodPost:
		return true
	case http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", "POST, OPTIONS")
		http.Error(w, "this is for BOSH clients (XEP-0206)", http.StatusMethodNotAllowed)
	}
	return false
}
