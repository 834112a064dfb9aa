package load

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
)

// server is just enough of XMPP to talk to a crowd, and can be told to
// misbehave. It knows the layout instead of keeping rosters.
type server struct {
	t      *testing.T
	layout Layout
	tls    *tls.Config
	direct bool
	fault  func(n int) fault // what happens to the n-th routed stanza

	ln    net.Listener
	mu    sync.Mutex
	users map[string]*peer
	n     int
	held  func() // a stanza that waits to be sent behind the next
}

type fault uint8

const (
	none fault = iota
	dropIt
	doubleIt
	swapIt // with the next one
	spoilIt
	bounceIt
)

type peer struct {
	net.Conn
	mu   sync.Mutex
	user int
}

func (p *peer) say(format string, a ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.Conn, format, a...)
}

func (s *server) start() string {
	var err error
	if s.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		s.t.Fatal(err)
	}
	s.users = map[string]*peer{}
	s.t.Cleanup(func() { s.ln.Close() })
	go func() {
		for {
			nc, err := s.ln.Accept()
			if err != nil {
				return
			}
			if s.direct {
				nc = tls.Server(nc, s.tls)
			}
			go s.serve(&peer{Conn: nc})
		}
	}()
	return s.ln.Addr().String()
}

// serve reads one stream to its end.
func (s *server) serve(p *peer) {
	defer func() { p.Close() }()
	var b []byte
	authed := false
	for buf := make([]byte, 4096); ; {
		e, el, n := next(b)
		b = b[n:]
		if e == incomplete {
			n, err := p.Read(buf)
			if err != nil {
				return
			}
			b = append(b, buf[:n]...)
			continue
		}
		switch {
		case e == header:
			p.say("<?xml version='1.0'?><stream:stream id='%d' from='localhost' version='1.0' xmlns='jabber:client' "+
				"xmlns:stream='http://etherx.jabber.org/streams'><stream:features>%s</stream:features>", 1, s.features(p, authed))
		case e == streamEnd:
			p.say("</stream:stream>")
			return
		case is(el, "starttls"):
			p.say("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
			p.Conn = tls.Server(p.Conn, s.tls)
			b = nil
		case is(el, "auth"):
			id, _ := base64.StdEncoding.DecodeString(string(text(el, "auth")))
			if !strings.HasSuffix(string(id), "\x00secret") {
				p.say("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>")
				return
			}
			fmt.Sscanf(string(id), "\x00u%d", &p.user)
			authed = true
			p.say("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
		default:
			s.handle(p, el)
		}
	}
}

func (s *server) features(p *peer, authed bool) string {
	_, secure := p.Conn.(*tls.Conn)
	switch {
	case authed:
		return "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>"
	case s.tls != nil && !secure:
		return "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
	}
	return "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
}

func (s *server) handle(p *peer, el []byte) {
	jid := User(p.user) + "@localhost/r"
	switch {
	case strings.Contains(string(el), "<bind"):
		s.mu.Lock()
		s.users[jid] = p
		s.mu.Unlock()
		p.say("<iq type='result' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>%s</jid></bind></iq>", jid)
	case is(el, "iq") && string(attr(el, "type")) != "result":
		p.say("<iq type='result' id='%s'/><iq type='get' id='ping1' from='localhost'><ping xmlns='urn:xmpp:ping'/></iq>", attr(el, "id"))
	case is(el, "message"):
		s.route(p, string(attr(el, "to")), el)
	case is(el, "presence"):
		s.layout.Of(p.user, func(n int) { s.route(p, User(n)+"@localhost/r", el) })
	}
}

func (s *server) route(from *peer, jid string, el []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.users[jid]
	if to == nil {
		return
	}
	marked := strings.Contains(string(el), "<body>") || strings.Contains(string(el), "<status>")
	f := none
	if s.fault != nil && marked {
		s.n++
		f = s.fault(s.n)
	}
	line := string(el)
	send := func() { to.say("%s", line) }
	switch f {
	case dropIt:
		return
	case swapIt:
		s.held = send
		return
	case doubleIt:
		send()
	case spoilIt:
		line = strings.Replace(line, "quick", "quack", 1)
	case bounceIt:
		from.say("<message type='error' from='%s'><error type='cancel'><service-unavailable xmlns='s'/></error></message>", jid)
		return
	}
	send()
	if s.held != nil && marked {
		s.held()
		s.held = nil
	}
}
