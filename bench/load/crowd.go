package load

import (
	"errors"
	"fmt"
	"time"
)

// Crowd is some users of one server, on as many threads as its Target says.
// Its methods may be called from one goroutine at a time.
type Crowd struct {
	target Target
	loops  []*loop
}

// New makes a crowd that is all offline, and does nothing until Do.
func New(t Target) (*Crowd, error) {
	if _, ok := hashes[t.Mech]; !ok && t.Mech != "PLAIN" && !t.Raw {
		return nil, fmt.Errorf("load: mechanism %q is not known", t.Mech)
	}
	if t.Users < 1 || t.Layout.Block < 2 || t.First%t.Layout.Block != 0 {
		return nil, errors.New("load: a crowd has users, and begins with a block of the layout")
	}
	if t.Timeout == 0 {
		t.Timeout = time.Minute
	}
	c := &Crowd{target: t}
	for _, p := range t.Layout.Parts(t.Users, t.Threads) {
		l, err := newLoop(&c.target, t.First+p.First, p.Users)
		if err != nil {
			c.Close()
			return nil, err
		}
		c.loops = append(c.loops, l)
	}
	return c, nil
}

// Do has the crowd do j from now on.
func (c *Crowd) Do(j Job) error {
	if m := j.Message; m != nil && (m.Users%2 != 0 || m.Users > c.target.Users || m.Body > len(padding)) {
		return errors.New("load: conversations need an even number of users, not more than there are, and bodies under 64 kB")
	}
	if r := j.Room; r != nil && (r.Users > c.target.Layout.Block || r.Body > len(padding)) {
		return errors.New("load: the users of a room are of one block")
	}
	for _, l := range c.loops {
		mine := j.Part(Part{l.first - c.target.First, len(l.conns)})
		l.call(func() { l.do(mine) })
	}
	return nil
}

func (l *loop) do(j Job) {
	l.setLogin(j.Login)
	l.setMessage(j.Message)
	l.setPresence(j.Presence)
	l.setRoom(j.Room)
	l.setPing(j.Ping)
	l.setFriends(j.Friends)
	if l.logins.every > 0 || l.talking.every > 0 || l.telling.every > 0 || l.pinging.every > 0 {
		l.pace(busyPeriod)
	} else {
		l.pace(idlePeriod)
	}
}

// Stats says what was counted up to now.
func (c *Crowd) Stats() Stats {
	var all Stats
	for _, l := range c.loops {
		l.call(func() { all.Add(l.snapshot()) })
	}
	return all
}

func (l *loop) snapshot() Stats {
	s := l.stats
	s.Online, s.LoggingIn, s.Occupants = l.online, l.loggingIn, l.room.in
	s.InFlight = s.Sent - s.Received + l.spreading
	return s
}

// Drain stops all sending and waits until nothing is in flight, or nothing has
// come for d.
func (c *Crowd) Drain(d time.Duration) (Stats, error) {
	if err := c.Do(Job{}); err != nil {
		return Stats{}, err
	}
	last, moved := uint64(0), time.Now()
	for ; ; time.Sleep(time.Millisecond) {
		s := c.Stats()
		if came := s.Received + s.Told; came != last {
			last, moved = came, time.Now()
		}
		if s.InFlight == 0 || time.Since(moved) > d {
			return s, nil
		}
	}
}

// Close ends every connection, without a word.
func (c *Crowd) Close() {
	for _, l := range c.loops {
		l.call(func() { l.stopped = true })
		<-l.ended
	}
}
