package stream

import (
	"time"

	"meerkat/engine/auth"
	"meerkat/engine/jid"
	"meerkat/engine/loop"
)

// login is the part of a Stream that is needed until a session is bound.
type login struct {
	stream   *Stream
	timer    loop.Timer
	deadline time.Time // of the whole login (rule of unauthenticated time)

	host string // the domain the stream is for, "" before the first header
	lang string // xml:lang of the client's header

	from jid.JID // bare, who the client says it is in its header; zero if it does not

	exchange *auth.Exchange   // while one is under way
	two      *request         // of XEP-0388, whose exchange it is
	token    *auth.TokenLogin // if the login was by token
	failures int
	memo     any     // see feature.PreAuthCtx
	user     jid.JID // bare, as stored, once authenticated

	id       []byte   // of the request to bind
	resource string   // asked for in it
	next     func()   // on the loop of the account
	early    [][]byte // stanzas for the session that come before the client knows of it
}

// start sets the timer, for the first time or on another loop.
func (l *login) start() {
	h := l.stream.at
	if l.deadline.IsZero() {
		l.deadline = h.loop.Now().Add(h.sh.authTimeout() - l.stream.w.Age())
	}
	h.loop.Set(&l.timer, l.deadline.Sub(h.loop.Now()))
}

func (l *login) stop() {
	if l.timer.Active() {
		l.stream.at.loop.Stop(&l.timer)
	}
}

// Timeout ends the stream: whatever trickled in, there is no session.
func (l *login) Timeout(*loop.Timer) {
	timeouts.Add(l.stream.at.shard(), 1)
	l.stream.fail("connection-timeout", "a login may take "+l.stream.at.sh.authTimeout().String())
}
