package load

import "time"

// change is the last presence change of one user, and how far it has spread.
type change struct {
	number    uint32
	want, got uint16   // contacts that were online, contacts that were told
	told      []uint64 // a bit for each contact, in the order of the layout
}

// open says that some are still to be told. One that came online behind the
// change may be told too, so got can be the larger.
func (c *change) open() bool { return c.got < c.want }

// begin counts one more change, of which nobody has been told.
func (c *change) begin() {
	c.number++
	c.want, c.got = 0, 0
	clear(c.told)
}

// take notes that the i-th contact was told; false if it was before.
func (c *change) take(i int) bool {
	for len(c.told) <= i/64 {
		c.told = append(c.told, 0)
	}
	bit := uint64(1) << (i % 64)
	if c.told[i/64]&bit != 0 {
		return false
	}
	c.told[i/64] |= bit
	c.got++
	return true
}

func (l *loop) setPresence(j *PresenceJob) {
	l.job.Presence = j
	if j == nil {
		l.telling.every = 0
		return
	}
	turn := l.telling.turn
	l.telling = newPacer(j.Rate)
	l.telling.turn = turn % j.Users
	for range j.Window {
		if j.Rate == 0 {
			l.tellNext(now())
		}
	}
}

// tell sends what an open loop has due. If every user's last change is still
// spreading, what is due waits, and keeps its time.
func (l *loop) tell() {
	for l.job.Presence != nil {
		at, ok := l.telling.due(now())
		if !ok {
			return
		}
		if !l.tellNext(at) {
			l.telling.next = at
			return
		}
	}
}

// tellNext has the next user change its presence whose last change is all told;
// false if there is none. Users far apart follow each other, so that not all is
// told to the same few.
func (l *loop) tellNext(at time.Duration) bool {
	j := l.job.Presence
	for range j.Users {
		c := &l.conns[l.telling.turn]
		l.telling.turn = (l.telling.turn + stride) % j.Users
		if c.phase == online && !c.change.open() {
			l.broadcast(c, at)
			return true
		}
	}
	return false
}

// stride is a prime above any roster here.
const stride = 7919

// broadcast changes c's presence.
func (l *loop) broadcast(c *conn, at time.Duration) {
	ch := &c.change
	ch.begin()
	n := l.first + int(c.i)
	l.t.Layout.Of(n, func(contact int) {
		if i := contact - l.first; i >= 0 && i < len(l.conns) && l.conns[i].phase == online {
			ch.want++
		}
	})
	l.stats.Changes++
	l.stats.Wanted += uint64(ch.want)
	l.spreading += uint64(ch.want)
	l.other = append(l.other[:0], "<presence><status>"...)
	l.other = mark{uint32(n), ch.number, at}.append(l.other, 'p')
	if fill := l.job.Presence.Size - len(l.other) - len("</status></presence>"); fill > 0 {
		l.other = append(l.other, padding[:fill]...)
	}
	l.other = append(l.other, "</status></presence>"...)
	l.write(c, l.other)
}

// presence judges what c is told of a contact. Presence without a mark is that
// of a login or logout, and the server tells a user of itself, too.
func (l *loop) presence(c *conn, el []byte) {
	if l.roomPresence(c, el) {
		return
	}
	switch string(attr(el, "type")) {
	case "error":
		count(&l.stats.Errors, condition(el), 1)
		return
	case "subscribe":
		l.asked(c, el)
		return
	}
	m, ok := parseMark(text(el, "status"), 'p')
	i := int(m.sender) - l.first
	if !ok || i == int(c.i) {
		return
	}
	if i < 0 || i >= len(l.conns) {
		l.stats.Damaged++
		return
	}
	l.told(c, &l.conns[i], m, len(el))
}

func (l *loop) told(c, from *conn, m mark, size int) {
	ch := &from.change
	contact := l.t.Layout.index(l.first+int(from.i), l.first+int(c.i))
	awaited := ch.open()
	switch {
	case contact < 0 || m.number > ch.number:
		l.stats.Damaged++
		return
	case m.number < ch.number: // behind a later change
		l.stats.Reordered++
		return
	case !ch.take(contact):
		l.stats.Doubled++
		return
	case awaited:
		l.spreading--
	}
	l.stats.Told++
	l.stats.PresenceBytes += uint64(size)
	l.stats.PresenceLag.Record(now() - m.at)
	if j := l.job.Presence; j != nil && j.Rate == 0 && !ch.open() {
		l.tellNext(now())
	}
}
