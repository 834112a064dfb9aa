package muc

import (
	"maps"
	"strings"
	"time"

	"meerkat/engine/feature"
	"meerkat/engine/loop"
	"meerkat/engine/metric"
	"meerkat/engine/stanza"
)

// paces bound what a room tells everybody in it, by user and by room: messages,
// and changes, which are entering, nicks and presence. They belong to a loop, and
// remember only who was at it lately, so that who leaves and comes again gains
// nothing.
type paces struct {
	env   *feature.Env
	due   map[paced]*time.Time // pointers, for assigning to a map's entry replaces its key, too
	timer loop.Timer           // of the next sweep, while there is something to sweep
}

// paced is a user in a room, or a room if bare is "".
type paced struct {
	room, bare string
	kind       paceKind
}

type paceKind uint8

const (
	ofMessages paceKind = iota
	ofChanges
	kinds
)

// tooFast counts by option: those of a user come first, each in the order of
// paceKind.
var tooFast = metric.NewCounterVec("meerkat_muc_too_fast_total",
	"What was refused because there had been too much of it, by the option of section rooms.", "limit",
	"user_messages", "user_changes", "messages", "changes")

// burst is how many seconds of a rate may be used up at once.
const burst = 10

// take counts one event of k, which may come rate times a second (0: as it likes),
// and reports whether it may. That is the leaky bucket as one time, at which the
// bucket will be empty.
func (p *paces) take(k paced, rate int, now time.Time) bool {
	if rate == 0 {
		return true
	}
	was := p.due[k]
	due := now
	if was != nil && was.After(now) {
		due = *was
	}
	due = due.Add(time.Second / time.Duration(rate))
	switch {
	case due.Sub(now) > burst*time.Second:
		return false
	case was != nil:
		*was = due
		return true
	case p.due == nil:
		p.due = make(map[paced]*time.Time)
		p.env.Loop.Set(&p.timer, burst*time.Second)
	}
	k.room, k.bare = strings.Clone(k.room), strings.Clone(k.bare) // they are the stanza's
	first := due
	p.due[k] = &first
	return true
}

// Timeout forgets whose bucket is empty.
func (p *paces) Timeout(*loop.Timer) {
	now := p.env.Now()
	maps.DeleteFunc(p.due, func(_ paced, due *time.Time) bool { return !due.After(now) })
	if len(p.due) == 0 {
		p.due = nil
		return
	}
	p.env.Loop.Set(&p.timer, burst*time.Second)
}

// inPace reports whether s, which all in the room would be told of, may be. If
// not, it is answered with resource-constraint, which says to wait (RFC 6120
// §8.3.3.18); XEP-0045 has no condition of its own for that.
func (f *service) inPace(c *feature.Ctx, s *stanza.Stanza, kind paceKind) bool {
	each := c.Config.Rooms.UserMessages
	if kind == ofChanges {
		each = c.Config.Rooms.UserChanges
	}
	if !f.pace(c).take(paced{s.To.BareString(), s.From.BareString(), kind}, each, c.Now()) {
		slower(c, s, int(kind))
		return false
	}
	return f.roomInPace(c, s, kind, 1)
}

// roomInPace is inPace for n events of those that have no pace of their own: who
// moderates may have to be quick.
func (f *service) roomInPace(c *feature.Ctx, s *stanza.Stanza, kind paceKind, n int) bool {
	all := c.Config.Rooms.Messages
	if kind == ofChanges {
		all = c.Config.Rooms.Changes
	}
	for range n {
		if !f.pace(c).take(paced{s.To.BareString(), "", kind}, all, c.Now()) {
			slower(c, s, int(kinds+kind))
			return false
		}
	}
	return true
}

func (f *service) pace(c *feature.Ctx) *paces {
	p := &f.paces[c.Shard()]
	p.env, p.timer.Owner = c.Env, p
	return p
}

func slower(c *feature.Ctx, s *stanza.Stanza, limit int) {
	tooFast.Add(c.Shard(), limit, 1)
	refuse(c, s, stanza.ResourceConstraint)
}
