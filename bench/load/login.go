package load

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"time"

	"golang.org/x/sys/unix"
)

// login is what a client holds only until it is online.
type login struct {
	since     time.Duration // when it began, or was due
	handshake *handshake
	scram     *scram
	known     bool // the account is there
	authed    bool
	session   bool // the server wants the session of RFC 3921
}

// logins is what a loop knows of its LoginJob.
type logins struct {
	pacer
	waiting []waiting // in the order of their deadlines
}

type waiting struct {
	i, gen int32
	since  time.Duration
}

func (l *loop) setLogin(j *LoginJob) {
	l.job.Login = j
	if j != nil {
		l.logins.pacer = newPacer(j.Rate)
		l.startLogins()
	}
}

// startLogins begins as many logins as are due. The turn is the next user to
// come online; in a churn it goes round.
func (l *loop) startLogins() {
	j := l.job.Login
	for j != nil && l.loggingIn < j.Parallel && l.logins.turn < j.Users {
		since := now()
		if j.Rate > 0 {
			var ok bool
			if since, ok = l.logins.due(since); !ok {
				return
			}
		}
		c := &l.conns[l.logins.turn]
		l.logins.turn++
		if j.Churn {
			l.logins.turn %= j.Users
		}
		if c.phase != offline {
			if j.Churn {
				return // all are busy; one that leaves will call again
			}
			continue
		}
		l.dial(c, since)
	}
}

// expire ends logins that take too long.
func (l *loop) expire() {
	for w := &l.logins.waiting; len(*w) > 0; *w = (*w)[1:] {
		c := &l.conns[(*w)[0].i]
		if c.gen == (*w)[0].gen && c.phase != online {
			if now()-(*w)[0].since < l.t.Timeout {
				return
			}
			l.gone(c, "waited "+l.t.Timeout.String()+" for "+awaits[c.phase])
		}
	}
}

// dial opens the socket.
func (l *loop) dial(c *conn, since time.Duration) {
	fd, err := l.t.dial(l.first + int(c.i))
	l.loggingIn++
	c.phase, c.fd, c.login = connecting, int32(fd), &login{since: since}
	l.logins.waiting = append(l.logins.waiting, waiting{c.i, c.gen, now()})
	if err != nil {
		l.gone(c, err.Error())
		return
	}
	l.watch(c, unix.EPOLL_CTL_ADD, unix.EPOLLOUT)
}

// connected begins to speak.
func (l *loop) connected(c *conn) {
	if e, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR); err != nil || e != 0 {
		l.gone(c, unix.Errno(e).Error())
		return
	}
	l.watch(c, unix.EPOLL_CTL_MOD, unix.EPOLLIN)
	switch {
	case l.t.Raw:
		l.out = fmt.Appendf(l.out, Hello, l.first+int(c.i))
		c.phase = settling
	case l.t.TLS == Direct:
		l.secure(c)
	default:
		l.greet(c)
	}
	l.flush(c)
}

// Hello is the line by which a raw client says its number to the floor, Welcome
// the answer: from then on the floor moves what others send it.
const (
	Hello   = "hello %07d\n"
	Welcome = "<welcome/>"
)

// secure begins the TLS handshake.
func (l *loop) secure(c *conn) {
	var alpn []string
	switch {
	case l.t.WS != "":
		alpn = []string{"http/1.1"}
	case l.t.TLS == Direct:
		alpn = []string{"xmpp-client"}
	}
	gen := c.gen
	h := &handshake{post: l.post, send: func(b []byte) {
		if c.gen == gen {
			l.send(c, b)
		}
	}}
	c.phase, c.login.handshake = handshaking, h
	h.start(l.t.Domain, alpn, func(s *session, rest []byte, err error) {
		if c.gen != gen {
			return
		}
		if err != nil {
			l.gone(c, "TLS: "+err.Error())
			return
		}
		c.tls, c.login.handshake = s, nil
		l.greet(c)
		l.arrived(c, rest)
	})
}

// greet begins to speak below TLS.
func (l *loop) greet(c *conn) {
	if l.t.WS != "" {
		l.upgrade(c)
		return
	}
	l.open(c)
}

// mustStartTLS says that TLS is still to come.
func (l *loop) mustStartTLS(c *conn) bool { return l.t.TLS == StartTLS && c.tls == nil }

// open sends a stream header, and what can be said without waiting.
func (l *loop) open(c *conn) {
	c.phase = opening
	l.sayHeader()
	if l.t.Pipeline && !l.t.Register && !l.mustStartTLS(c) {
		l.sayAuth(c)
		if l.t.Mech == "PLAIN" {
			l.sayAfterAuth()
		}
	}
}

// negotiate takes an element before the client is online.
func (l *loop) negotiate(c *conn, el []byte) {
	switch {
	case is(el, "stream:error"), is(el, "failure"):
		l.gone(c, condition(el))
	case l.t.Raw && string(el) == Welcome:
		l.arrive(c)
	case c.phase == opening && is(el, "stream:features"):
		l.features(c, el)
	case c.phase == securing && is(el, "proceed"):
		l.secure(c)
	case c.phase == registering && is(el, "iq"):
		l.registered(c, el)
	case c.phase == proving && is(el, "challenge"):
		l.challenge(c, el)
	case c.phase == proving && is(el, "success"):
		l.success(c, el)
	case c.phase == binding && is(el, "iq"):
		l.bound(c, el)
	case c.phase == settling && is(el, "iq"):
		l.settled(c, el)
	}
}

func (l *loop) features(c *conn, el []byte) {
	switch {
	case l.mustStartTLS(c):
		l.out = append(l.out, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"...)
		c.phase = securing
	case l.t.Register && !c.login.known:
		l.sayRegister(c)
		c.phase = registering
	case !c.login.authed:
		if !l.t.Pipeline {
			l.sayAuth(c)
		}
		c.phase = proving
	default:
		c.login.session = needsSession(el)
		if !l.t.Pipeline {
			l.sayBind()
		}
		c.phase = binding
	}
}

// needsSession reports a session feature without <optional/> (RFC 6121 1.4).
func needsSession(features []byte) bool {
	i := bytes.Index(features, []byte("<session"))
	return i >= 0 && !bytes.Contains(features[i:], []byte("<optional"))
}

// registered takes the answer to sayRegister. Somebody of that name has been
// made before.
func (l *loop) registered(c *conn, el []byte) {
	if why := condition(el); string(attr(el, "type")) == "error" && why != "conflict" {
		l.gone(c, "registration: "+why)
		return
	}
	c.login.known = true
	l.sayAuth(c)
	if l.t.Pipeline && l.t.Mech == "PLAIN" {
		l.sayAfterAuth()
	}
	c.phase = proving
}

func (l *loop) challenge(c *conn, el []byte) {
	in, err := decode(el, "challenge")
	if c.login.scram == nil || err != nil {
		l.gone(c, "unexpected challenge")
		return
	}
	answer, err := c.login.scram.final(in)
	if err != nil {
		l.gone(c, err.Error())
		return
	}
	l.out = append(l.out, "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>"...)
	l.out = base64.StdEncoding.AppendEncode(l.out, []byte(answer))
	l.out = append(l.out, "</response>"...)
	if l.t.Pipeline {
		l.sayAfterAuth()
	}
}

func (l *loop) success(c *conn, el []byte) {
	if s := c.login.scram; s != nil {
		in, err := decode(el, "success")
		if err == nil {
			err = s.check(in)
		}
		if err != nil {
			l.gone(c, "the server does not prove itself")
			return
		}
	}
	c.login.authed, c.login.scram = true, nil
	c.phase = opening
	if !l.t.Pipeline {
		l.sayHeader()
	}
}

func decode(el []byte, name string) ([]byte, error) {
	return base64.StdEncoding.AppendDecode(nil, text(el, name))
}

func (l *loop) bound(c *conn, el []byte) {
	if string(attr(el, "type")) != "result" {
		l.gone(c, condition(el))
		return
	}
	c.jid = string(text(el, "jid"))
	c.phase = settling
	if c.login.session {
		l.out = append(l.out, "<iq type='set' id='settle'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>"...)
	}
	if !l.t.Pipeline {
		l.saySettle()
	}
	if !c.login.session && !l.t.Roster {
		l.arrive(c)
	}
}

// settled takes the results that bound asked for: the session's, the roster's.
func (l *loop) settled(c *conn, el []byte) {
	switch id := string(attr(el, "id")); {
	case id != "settle":
		l.stanza(c, el)
	case string(attr(el, "type")) == "error":
		l.gone(c, condition(el))
	case c.login.session && l.t.Roster:
		c.login.session = false // the other one is still to come
	default:
		l.arrive(c)
	}
}

// arrive makes c online.
func (l *loop) arrive(c *conn) {
	l.stats.Logins++
	l.stats.LoginTime.Record(now() - c.login.since)
	l.loggingIn--
	c.login = nil
	if j := l.job.Login; j != nil && j.Churn {
		c.phase = leaving
		l.out = append(l.out, "</stream:stream>"...)
	} else {
		c.phase = online
		l.online++
		if l.t.Full {
			l.sayFull()
		}
	}
	l.freed = true
}

// What a client says while it logs in.

func (l *loop) sayHeader() {
	l.out = fmt.Appendf(l.out, "<?xml version='1.0'?><stream:stream to='%s' version='1.0' xml:lang='en' "+
		"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>", l.t.Domain)
}

// sayRegister makes an account (XEP-0077 §3.1).
func (l *loop) sayRegister(c *conn) {
	l.out = fmt.Appendf(l.out, "<iq type='set' id='register'><query xmlns='jabber:iq:register'><username>%s</username>"+
		"<password>%s</password></query></iq>", User(l.first+int(c.i)), html.EscapeString(l.t.Password))
}

func (l *loop) sayAuth(c *conn) {
	user := User(l.first + int(c.i))
	first := plain(user, l.t.Password)
	if l.t.Mech != "PLAIN" {
		s, err := newScram(l.t.Mech, user, l.t.Password)
		if err != nil {
			panic(err) // New has checked the name
		}
		c.login.scram = s
		first = s.first()
	}
	l.out = fmt.Appendf(l.out, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='%s'>", l.t.Mech)
	l.out = base64.StdEncoding.AppendEncode(l.out, []byte(first))
	l.out = append(l.out, "</auth>"...)
}

// sayAfterAuth is all that may be said before SASL has ended.
func (l *loop) sayAfterAuth() {
	l.sayHeader()
	l.sayBind()
	l.saySettle()
}

func (l *loop) sayBind() {
	l.out = fmt.Appendf(l.out, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"+
		"<resource>%s</resource></bind></iq>", l.t.Resource)
}

// sayFull asks for what keeps messages safe: an archive (XEP-0441), copies for
// other devices (XEP-0280), and acknowledgements (XEP-0198).
func (l *loop) sayFull() {
	l.out = append(l.out, "<iq type='set' id='full'><prefs xmlns='urn:xmpp:mam:2' default='always'/></iq>"+
		"<iq type='set' id='full'><enable xmlns='urn:xmpp:carbons:2'/></iq><enable xmlns='urn:xmpp:sm:3' resume='true'/>"...)
}

func (l *loop) saySettle() {
	if l.t.Roster {
		l.out = append(l.out, "<iq type='get' id='settle'><query xmlns='jabber:iq:roster'/></iq>"...)
	}
	if l.t.Presence {
		l.out = append(l.out, "<presence/>"...)
	}
}
