package loop

// watch has c looked at on every tick, until it has no backlog and is not
// closing.
func (c *Conn) watch() {
	if c.slow == nil {
		c.slow = &slow{since: c.loop.now, written: c.Backlog()}
		c.loop.slow = append(c.loop.slow, c)
		c.loop.arm() // so that the end of the turn asks for the tick
	}
}

// unwatch takes the i-th of the watched off the list; its order means nothing.
func (l *Loop) unwatch(i int) {
	last := len(l.slow) - 1
	l.slow[i].slow = nil
	l.slow[i], l.slow[last] = l.slow[last], nil
	l.slow = l.slow[:last]
}

// tickSlow looks after the connections that have a backlog or are closing.
func (l *Loop) tickSlow() {
	for i := 0; i < len(l.slow); {
		if l.slow[i].tick() {
			i++
		} else {
			l.unwatch(i)
		}
	}
}

// tick reports whether c is to be watched on.
func (c *Conn) tick() bool {
	if c.state&gone != 0 {
		return false
	}
	s := c.slow
	if taken := s.written - c.Backlog(); taken > s.taken {
		s.taken, s.since = taken, c.loop.now
	}
	if c.state&closing != 0 {
		return c.finish()
	}
	c.pressed()
	if c.state&moving != 0 && c.Backlog() == 0 {
		c.loop.moves = append(c.loop.moves, c)
	}
	return c.state&closing != 0 || c.state&gone == 0 && c.Backlog() > 0
}

// finish takes a closing connection further and reports whether there is
// still something to wait for.
func (c *Conn) finish() bool {
	if c.state&gone != 0 {
		return false
	}
	if c.loop.now.After(c.slow.deadline) {
		c.abort(nil)
		return false
	}
	if c.Backlog() == 0 && c.state&ending == 0 {
		c.state |= ending
		c.driver().shutdown(c)
	}
	return true
}
