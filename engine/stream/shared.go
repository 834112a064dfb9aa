package stream

import (
	"time"

	"meerkat/engine/auth"
	"meerkat/engine/config"
	"meerkat/engine/feature"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
	"meerkat/engine/route"
	"meerkat/engine/wire"
	"meerkat/xml"
)

// Options is what streams need from the rest of the server.
type Options struct {
	Config     *config.Config
	Group      *loop.Group
	Router     func(l *loop.Loop) *route.Router
	Mechanisms *auth.Mechanisms
	Throttle   *auth.Throttle
	Features   []feature.StreamFeature
	PreAuth    []feature.PreAuth
	Resume     *feature.Resumer // nil: there is none
	Inline     []feature.Inline
	Tokens     *auth.Tokens // nil: there are none (XEP-0484)
	// TLS says that connections can be given TLS. If it is required and there
	// is none, nobody logs in.
	TLS bool
	// Full reports that nobody more may log in; nil is never.
	Full func() bool
}

// Shared is what all streams have in common. It does not change.
type Shared struct {
	Options
	domains []string   // prepared
	before  xml.Limits // until a session is bound
	after   xml.Limits
	homes   []*home // by loop
}

// New makes what streams share. The routers must exist.
func New(opt Options) *Shared {
	sh := &Shared{Options: opt}
	for _, d := range opt.Config.Domains {
		if j, err := jid.Domain(d); err == nil { // checked at start
			sh.domains = append(sh.domains, j.Domain())
		}
	}
	lim := &opt.Config.Limits
	sh.before = xml.Limits{
		Bytes:  int(lim.PreAuthStanza),
		Header: int(lim.PreAuthStanza),
		Depth:  lim.PreAuthDepth,
		Attrs:  lim.Attributes,
		Elems:  lim.PreAuthElements,
	}
	sh.after = xml.Limits{
		Bytes:  int(lim.Stanza),
		Header: int(lim.PreAuthStanza),
		Depth:  lim.Depth,
		Attrs:  lim.Attributes,
		Elems:  lim.Elements,
	}
	for i := range opt.Group.Len() {
		l := opt.Group.At(i)
		sh.homes = append(sh.homes, &home{sh: sh, loop: l, router: opt.Router(l), parser: xml.NewParser()})
	}
	return sh
}

// NewUpper returns a stream for a connection that has just been accepted.
// direct says that it is under TLS from the first byte (XEP-0368).
func (sh *Shared) NewUpper(direct bool) wire.Upper { return sh.newStream() }

func (sh *Shared) newStream() *Stream {
	s := &Stream{at: sh.homes[0]}
	s.login = &login{stream: s}
	s.login.timer.Owner = s.login
	return s
}

// Drain ends every stream, and every one opened later, with system-shutdown
// (RFC 6120 §4.9.3.20). It may be called from any goroutine; the streams end in
// the next turn of their loops.
func (sh *Shared) Drain() {
	for _, h := range sh.homes {
		h.loop.Post(h.drain)
	}
}

// authTimeout is how long a client may take from accept to a bound session.
func (sh *Shared) authTimeout() time.Duration { return time.Duration(sh.Config.Limits.AuthTimeout) }

// host returns the domain of ours that name is, "" if none.
func (sh *Shared) host(name string) string {
	for _, d := range sh.domains {
		if d == name {
			return d
		}
	}
	return ""
}

// home is the part of one loop: its streams and what they use in turn.
type home struct {
	sh       *Shared
	loop     *loop.Loop
	router   *route.Router
	parser   *xml.Parser
	streams  *Stream // the last that came; the others hang on it
	draining bool
	build    xml.Builder // for what is said before stanzas flow, see say
	buf      []byte      // its memory
}

func (h *home) shard() int { return h.loop.Index }

// add makes s one of h's streams.
func (h *home) add(s *Stream) {
	s.at, s.next = h, h.streams
	if h.streams != nil {
		h.streams.prev = s
	}
	h.streams = s
	s.flags |= listed
	open.Add(h.shard(), 1)
}

// remove undoes add, once.
func (h *home) remove(s *Stream) {
	if s.flags&listed == 0 {
		return
	}
	s.flags &^= listed
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		h.streams = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.next, s.prev = nil, nil
	open.Add(h.shard(), -1)
}

func (h *home) drain() {
	h.draining = true
	for s := h.streams; s != nil; s = s.next {
		s.shutdown()
	}
}
