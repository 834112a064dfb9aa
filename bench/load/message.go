package load

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// talk is one user's end of a conversation with its neighbour.
type talk struct {
	sent uint32 // messages; also the number of the next
	got  track
}

// track judges the numbers of one sender's messages.
type track struct {
	next    uint32              // the smallest number above all that came
	missing map[uint32]struct{} // those below next that did not come
}

type verdict uint8

const (
	good verdict = iota
	late         // came once, behind a later one
	again
)

func (t *track) take(n uint32) verdict {
	if n >= t.next {
		for ; t.next < n; t.next++ {
			if t.missing == nil {
				t.missing = map[uint32]struct{}{}
			}
			t.missing[t.next] = struct{}{}
		}
		t.next++
		return good
	}
	if _, ok := t.missing[n]; ok {
		delete(t.missing, n)
		return late
	}
	return again
}

// mark is what every numbered stanza carries in its text, in fixed width:
// kind, sender, number, time.
type mark struct {
	sender, number uint32
	at             time.Duration
}

const markLen = 1 + 8 + 8 + 16

func (m mark) append(dst []byte, kind byte) []byte {
	dst = append(dst, kind)
	dst = appendHex(dst, uint64(m.sender), 8)
	dst = appendHex(dst, uint64(m.number), 8)
	return appendHex(dst, uint64(m.at), 16)
}

func appendHex(dst []byte, v uint64, width int) []byte {
	for shift := 4 * (width - 1); shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[v>>shift&15])
	}
	return dst
}

// parseMark reads the mark at the front of a text.
func parseMark(s []byte, kind byte) (m mark, ok bool) {
	if len(s) < markLen || s[0] != kind {
		return m, false
	}
	sender, ok1 := parseHex(s[1:9])
	number, ok2 := parseHex(s[9:17])
	at, ok3 := parseHex(s[17:33])
	return mark{uint32(sender), uint32(number), time.Duration(at)}, ok1 && ok2 && ok3
}

func parseHex(s []byte) (v uint64, ok bool) {
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// padding fills a body up to its size, and is compared when it arrives.
var padding = bytes.Repeat([]byte(" the quick brown fox jumps over the lazy dog"), 1500)

func (l *loop) setMessage(j *MessageJob) {
	l.job.Message = j
	if j == nil {
		l.talking = pacer{}
		return
	}
	l.talking = newPacer(j.Rate)
	for i := 0; i+1 < j.Users && j.Rate == 0; i += 2 {
		c := &l.conns[i]
		for n := 0; n < j.Window && c.phase == online; n++ {
			l.say(c, now())
		}
		l.flush(c)
	}
}

// talk sends what an open loop has due. Who is late by more than a message of
// each user sends each user's in one write: what is written one by one may cost
// more than the time until the next is due, and then nobody would ever read.
func (l *loop) talk() {
	j := l.job.Message
	if j == nil {
		return
	}
	t := now()
	for burst := 1 + l.talking.late(t)/j.Users; l.talking.late(t) > 0; {
		c := &l.conns[l.talking.turn]
		l.talking.turn = (l.talking.turn + 1) % j.Users
		for range burst {
			if at, ok := l.talking.due(t); ok && c.phase == online {
				l.say(c, at)
			}
		}
		l.flush(c)
	}
}

func (l *loop) neighbour(c *conn) *conn { return &l.conns[c.i^1] }

// say adds c's next message to its neighbour to what is being said.
func (l *loop) say(c *conn, at time.Duration) {
	j, to := l.job.Message, l.neighbour(c)
	l.out = append(l.out, "<message to='"...)
	l.out = l.appendJID(l.out, to, j.Bare)
	l.out = append(l.out, "' type='chat' id='"...)
	l.out = appendHex(l.out, uint64(c.talk.sent), 8)
	l.out = append(l.out, "'><body>"...)
	l.out = mark{uint32(l.first) + uint32(c.i), c.talk.sent, at}.append(l.out, 'm')
	l.out = append(l.out, padding[:max(j.Body-markLen, 0)]...)
	l.out = append(l.out, "</body></message>"...)
	if c.talk.sent++; c.managed && c.talk.sent%askEvery == 0 {
		l.out = append(l.out, "<r xmlns='urn:xmpp:sm:3'/>"...)
	}
	l.stats.Sent++
}

// askEvery is after how many messages a managed client asks whether they have come.
const askEvery = 8

// appendJID appends how c is addressed; a raw client as its twin would be.
func (l *loop) appendJID(dst []byte, c *conn, bare bool) []byte {
	jid := c.jid
	if jid == "" {
		jid = fmt.Sprintf("%s@%s/%s", User(l.first+int(c.i)), l.t.Domain, l.t.Resource)
		c.jid = jid
	}
	if slash := strings.IndexByte(jid, '/'); bare && slash >= 0 {
		jid = jid[:slash]
	}
	return append(dst, jid...)
}

// message judges a message that came to c, and in a closed loop answers it.
func (l *loop) message(c *conn, el []byte) {
	if l.groupchat(c, el) {
		return
	}
	if string(attr(el, "type")) == "error" {
		count(&l.stats.Errors, condition(el), 1)
		return
	}
	from := l.neighbour(c)
	body := text(el, "body")
	m, ok := parseMark(body, 'm')
	if !ok || m.sender != uint32(l.first)+uint32(from.i) || m.number >= from.talk.sent ||
		!bytes.HasPrefix(padding, body[markLen:]) {
		l.stats.Damaged++
		return
	}
	switch c.talk.got.take(m.number) {
	case again:
		l.stats.Doubled++
		return
	case late:
		l.stats.Reordered++
	}
	l.stats.Received++
	l.stats.Latency.Record(now() - m.at)
	if j := l.job.Message; j != nil && j.Rate == 0 {
		l.say(c, now())
	}
}

// stanza takes what comes to a client that is online.
func (l *loop) stanza(c *conn, el []byte) {
	if c.managed && (is(el, "message") || is(el, "presence") || is(el, "iq")) {
		c.handled++
	}
	switch {
	case is(el, "message"):
		l.message(c, el)
	case is(el, "presence"):
		l.presence(c, el)
	case is(el, "iq"):
		l.iq(c, el)
	case is(el, "r"):
		l.out = fmt.Appendf(l.out, "<a xmlns='urn:xmpp:sm:3' h='%d'/>", c.handled)
	case is(el, "enabled"):
		c.managed, c.handled = true, 0
	case is(el, "failed"):
		l.gone(c, "no stream management")
	case is(el, "stream:error"):
		l.gone(c, condition(el))
	}
}

// iq answers the server's requests: pushes and pings (RFC 6120 8.2.3).
func (l *loop) iq(c *conn, el []byte) {
	if kind := string(attr(el, "type")); kind != "get" && kind != "set" {
		l.answered(el)
		return
	}
	l.out = append(l.out, "<iq type='result' id='"...)
	l.out = append(l.out, attr(el, "id")...)
	if from := attr(el, "from"); from != nil {
		l.out = append(append(l.out, "' to='"...), from...)
	}
	l.out = append(l.out, "'/>"...)
	l.pushed(c, el)
}
