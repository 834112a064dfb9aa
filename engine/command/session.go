package command

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"meerkat/engine/loop"
)

// session is a command that somebody has begun.
type session struct {
	on      *table
	id      string
	who     string // full JID
	bare    string
	command *Command
	pages   []Page // shown so far, the last one is to be filled in
	busy    bool   // a step is being run
	expired bool   // nobody went on with it: it is only known by name
	timer   loop.Timer
}

// table has the sessions of one loop.
type table struct {
	loop  *loop.Loop
	limit func() time.Duration
	m     map[string]*session
	open  map[string]int // sessions that have not expired, by bare JID
}

func (t *table) begin(who, bare string, c *Command) *session {
	var b [15]byte
	rand.Read(b[:]) // never fails
	s := &session{on: t, id: base64.RawURLEncoding.EncodeToString(b[:]), who: who, bare: bare, command: c, busy: true}
	s.timer.Owner = s
	t.m[s.id] = s
	t.open[bare]++
	s.touch()
	begun.Add(t.loop.Index, 1)
	return s
}

// touch gives who runs the command time for the next step.
func (s *session) touch() {
	if s.on.m[s.id] == s {
		s.on.loop.Set(&s.timer, s.on.limit())
	}
}

// Timeout is for the loop: the session expires, and is forgotten after as long
// again.
func (s *session) Timeout(*loop.Timer) {
	if s.expired {
		delete(s.on.m, s.id)
		return
	}
	timeouts.Add(s.on.loop.Index, 1)
	s.close()
	s.expired, s.pages = true, nil
	s.touch()
}

// drop ends the session.
func (s *session) drop() {
	if s.on.m[s.id] != s {
		return
	}
	delete(s.on.m, s.id)
	s.on.loop.Stop(&s.timer)
	s.close()
}

// close takes the session off those that count.
func (s *session) close() {
	if s.expired {
		return
	}
	if s.on.open[s.bare]--; s.on.open[s.bare] == 0 {
		delete(s.on.open, s.bare)
	}
}

// forward is the action that leads on from the page.
func (s *session) forward() string {
	if s.pages[len(s.pages)-1].More {
		return "next"
	}
	return "complete"
}
