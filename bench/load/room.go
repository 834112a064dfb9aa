package load

import (
	"bytes"
	"strconv"
	"time"
)

// room is a room of XEP-0045 as its occupants see it: the crowd's first users,
// who enter in their order, leave in the reverse one, and have their names as
// nicks. All are of one loop.
type room struct {
	addr    string
	job     *RoomJob // nil: nobody does anything more
	in      int      // who is in it: so many of the first
	move    *move    // one who is entering or leaving
	flights map[uint32]*flight
	number  uint32 // of the next message
	speaker int
	ready   bool // it is configured
}

// move is one user on its way in or out.
type move struct {
	user  int // of the loop
	out   bool
	want  int // of the others are to be told
	self  bool
	seen  int // others it has been shown
	told  change
	start time.Duration
}

// flight is a message on its way to all.
type flight struct {
	at   time.Duration
	told change
}

func (l *loop) setRoom(j *RoomJob) {
	l.room.job = nil
	if j == nil {
		return
	}
	r := l.rooms[j.Room]
	if r == nil {
		r = &room{addr: j.Room, flights: make(map[uint32]*flight)}
		l.rooms[j.Room] = r
	}
	l.room, r.job = r, j
	l.moveNext()
	l.speak()
}

// moveNext has the next user enter or leave, once all know of the last one.
func (l *loop) moveNext() {
	r := l.room
	switch j := r.job; {
	case j == nil || r.move != nil:
	case r.in == 1 && !r.ready && !l.t.Raw:
		l.configure(&l.conns[0])
	case r.in < j.Users:
		l.begin(&move{user: r.in, want: r.in})
	case r.in > j.Users:
		l.begin(&move{user: r.in - 1, want: r.in - 1, out: true})
	}
}

func (l *loop) begin(m *move) {
	if l.room.job.Hush {
		m.want = 0
	}
	m.start, l.room.move = now(), m
	b := append(l.other[:0], "<presence"...)
	switch {
	case m.out:
		b = append(b, " type='unavailable'"...)
	case l.t.Raw && l.room.job.Hush:
		b = append(b, " type='available'"...) // for the floor only
	}
	name := " to='"
	if l.t.Raw { // what comes back is this very stanza
		name = " from='"
	}
	b = append(append(append(b, name...), l.room.job.Room...), '/')
	b = append(append(b, User(l.first+m.user)...), "'>"...)
	switch {
	case l.t.Raw:
		b = append(b, padding[:max(l.room.job.Size-len(b)-len("</presence>"), 0)]...)
	case !m.out:
		b = append(b, "<x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x>"...)
	}
	l.other = append(b, "</presence>"...)
	l.write(&l.conns[m.user], l.other)
}

// configure is what the first one does: the room stays, or tells nobody who is
// in it (XEP-0045 §10.1).
func (l *loop) configure(c *conn) {
	b := append(l.other[:0], "<iq type='set' id='"...)
	b = append(append(append(b, roomID...), "' to='"...), l.room.job.Room...)
	b = append(b, "'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"+
		"<field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/muc#roomconfig</value></field>"...)
	if l.room.job.Hush {
		b = append(b, "<field var='muc#roomconfig_presencebroadcast'><value>moderator</value></field>"...)
	}
	if l.room.job.Lasting {
		b = append(b, "<field var='muc#roomconfig_persistentroom'><value>1</value></field>"...)
	}
	l.other = append(b, "</x></query></iq>"...)
	l.write(c, l.other)
}

const roomID = "room"

// configured takes the answer.
func (l *loop) configured(el []byte) {
	if string(attr(el, "type")) == "error" {
		count(&l.stats.Errors, condition(el), 1)
		return
	}
	l.room.ready = true
	l.moveNext()
}

// occupant is the user of this loop that a stanza of the room is from; false if
// it is from somewhere else.
func (l *loop) occupant(el []byte) (user int, ok bool) {
	if l.room.addr == "" {
		return 0, false
	}
	from, found := bytes.CutPrefix(attr(el, "from"), []byte(l.room.addr))
	if !found || len(from) < 3 || from[0] != '/' {
		return 0, false
	}
	n, err := strconv.Atoi(string(from[2:]))
	return n - l.first, err == nil
}

// roomPresence takes presence of a room; false if el is none.
func (l *loop) roomPresence(c *conn, el []byte) bool {
	user, ok := l.occupant(el)
	if !ok {
		return false
	}
	if string(attr(el, "type")) == "error" {
		count(&l.stats.Errors, condition(el), 1)
		return true
	}
	m := l.room.move
	switch {
	case m == nil:
	case int(c.i) == m.user && user == m.user && l.t.Raw && !m.out && m.seen < m.want:
		m.seen++ // all are the same
	case int(c.i) == m.user && user == m.user:
		m.self = true
	case int(c.i) == m.user:
		m.seen++
	case user == m.user && !m.told.take(int(c.i)):
		l.stats.Doubled++
	case user == m.user:
		l.stats.Told++
		l.stats.PresenceBytes += uint64(len(el))
	}
	l.moved()
	return true
}

// moved ends a move that all have been told of.
func (l *loop) moved() {
	r := l.room
	m := r.move
	if m == nil || !m.self || int(m.told.got) < m.want || !m.out && m.seen < m.want {
		return
	}
	r.move = nil
	if m.out {
		r.in--
	} else {
		r.in++
		l.stats.Entered++
	}
	l.stats.PresenceLag.Record(now() - m.start)
	l.moveNext()
	l.speak()
}

// speak says as many messages as may be in flight, by one occupant after the
// other, when nobody moves.
func (l *loop) speak() {
	r := l.room
	for j := r.job; j != nil && r.move == nil && r.in == j.Users && r.in > 0 && len(r.flights) < j.Window; {
		r.speaker = (r.speaker + stride) % r.in
		l.address(&l.conns[r.speaker])
	}
}

// address has c say something to the room.
func (l *loop) address(c *conn) {
	r := l.room
	user := uint32(l.first) + uint32(c.i)
	m := mark{user, r.number, now()}
	b := append(l.other[:0], "<message"...)
	if l.t.Raw {
		b = append(b, " from='"...)
	} else {
		b = append(b, " to='"...)
	}
	b = append(b, r.job.Room...)
	if l.t.Raw {
		b = append(append(b, '/'), User(int(user))...)
	}
	b = append(b, "' type='groupchat' id='"...)
	b = append(appendHex(b, uint64(r.number), 8), "'>"...)
	body := r.job.Body
	if l.t.Raw { // as long as what the server sends
		body = max(markLen, r.job.Size-len(b)-len("<body></body></message>"))
	}
	b = m.append(append(b, "<body>"...), 'r')
	b = append(b, padding[:max(body-markLen, 0)]...)
	l.other = append(b, "</body></message>"...)
	r.flights[r.number] = &flight{at: m.at, told: change{want: uint16(r.in)}}
	r.number++
	l.stats.Sent += uint64(r.in)
	l.write(c, l.other)
}

// groupchat takes a message of a room; false if el is none.
func (l *loop) groupchat(c *conn, el []byte) bool {
	user, ok := l.occupant(el)
	switch kind := string(attr(el, "type")); {
	case !ok:
		return kind == "groupchat" // the subject of a room that was before
	case kind == "error":
		count(&l.stats.Errors, condition(el), 1)
		return true
	}
	m, marked := parseMark(text(el, "body"), 'r')
	if !marked {
		return true // the subject
	}
	f := l.room.flights[m.number]
	switch {
	case m.number >= l.room.number || int(m.sender) != l.first+user:
		l.stats.Damaged++
		return true
	case f == nil || !f.told.take(int(c.i)):
		l.stats.Doubled++
		return true
	}
	l.stats.Received++
	l.stats.RoomBytes += uint64(len(el))
	l.stats.Latency.Record(now() - f.at)
	if !f.told.open() {
		delete(l.room.flights, m.number)
		l.stats.Reached++
		l.stats.ReachTime.Record(now() - f.at)
		l.speak()
	}
	return true
}

func (l *loop) setPing(j *PingJob) {
	l.job.Ping = j
	if j == nil {
		l.pinging = pacer{}
		return
	}
	l.pinging = newPacer(j.Rate)
}

// pingID is how the ids of pings begin; when they were due follows.
const pingID = "ping-"

// ping asks the server for the signs of life that are due.
func (l *loop) ping() {
	for j := l.job.Ping; j != nil; {
		at, ok := l.pinging.due(now())
		if !ok {
			return
		}
		if c := &l.conns[j.User]; c.phase == online {
			l.other = append(append(l.other[:0], "<iq type='get' id='"...), pingID...)
			l.other = append(appendHex(l.other, uint64(at), 16), "'><ping xmlns='urn:xmpp:ping'/></iq>"...)
			l.write(c, l.other)
		}
	}
}

// answered takes an answer to what this file has asked.
func (l *loop) answered(el []byte) {
	id := attr(el, "id")
	switch string(id) {
	case roomID:
		l.configured(el)
		return
	case friendID:
		if string(attr(el, "type")) == "error" {
			count(&l.stats.Errors, condition(el), 1)
		}
		return
	}
	if at, ok := bytes.CutPrefix(id, []byte(pingID)); ok {
		if v, ok := parseHex(at); ok {
			l.stats.Ping.Record(now() - time.Duration(v))
		}
	}
}
