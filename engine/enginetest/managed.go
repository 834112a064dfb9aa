package enginetest

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Managed is a client with stream management (XEP-0198) on a bad network: its
// connections are cut, and it resumes its session over and over. It sends
// messages to a peer and collects the bodies of those that come.
type Managed struct {
	Addr     func() string // of the server, in clear
	User     string        // localpart in Domain; the password is that of transcripts
	Resource string
	To       string // whom messages are for
	Type     string // of messages; "" is chat
	First    string // a stanza sent behind the initial presence, such as what enters a room
	Domain   string // "" is that of transcripts
	Password string // "" likewise
	// Cut tells after how many bytes, written or read since login, connection n,
	// from 0, is cut; -1 never.
	Cut func(n int) (write, read int)

	mu       sync.Mutex
	conn     *cutConn // nil while there is none
	id       string   // SM-ID
	received uint32   // stanzas from the server
	acked    uint32   // of ours, by the server
	queue    []string // of ours, not acknowledged
	got      []string
	told     map[string]string // ids in the archive (XEP-0359), by body
	err      error
	resumes  int
	lost     int // sessions that could not be resumed
	stop     bool
}

// Run connects until Stop.
func (m *Managed) Run() {
	for n := 0; !m.stopped(); n++ {
		if err := m.session(n); err != nil {
			m.fail(err)
			return
		}
	}
}

// Stop ends Run.
func (m *Managed) Stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stop = true
	if m.conn != nil {
		m.conn.Close()
	}
}

// Send sends a message with a body that is unlike any other.
func (m *Managed) Send(body string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kind := "chat"
	if m.Type != "" {
		kind = m.Type
	}
	s := "<message type='" + kind + "' id='" + body + "' to='" + m.To + "'><body>" + body + "</body></message>"
	m.queue = append(m.queue, s)
	if m.id != "" && m.conn != nil && m.conn.ready {
		m.conn.write(s)
		if len(m.queue)%5 == 0 {
			m.ask()
		}
	}
}

// Ask asks the server for an acknowledgement.
func (m *Managed) Ask() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil && m.conn.ready {
		m.ask()
	}
}

func (m *Managed) ask() { m.conn.write("<r xmlns='urn:xmpp:sm:3'/>") }

// Result returns what came, how many messages are not acknowledged, and what
// went wrong.
func (m *Managed) Result() (got []string, waiting int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got, len(m.queue), m.err
}

// Resumes returns how often the session was resumed, and how often it was lost.
func (m *Managed) Resumes() (resumed, lost int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.resumes, m.lost
}

// Online reports whether the server has acknowledged the initial presence: what
// others send from now on comes in order.
func (m *Managed) Online() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acked > 0
}

func (m *Managed) stopped() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stop
}

func (m *Managed) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil && !m.stop {
		m.err = err
	}
}

// cutConn is a connection with an end.
type cutConn struct {
	net.Conn
	left, believe int // bytes left, -1: no end
	ready         bool
}

func (c *cutConn) write(s string) {
	if c.left >= 0 && len(s) >= c.left {
		c.Write([]byte(s[:c.left]))
		c.left = 0
		c.Close()
		return
	}
	if c.left >= 0 {
		c.left -= len(s)
	}
	c.Write([]byte(s)) // an error shows when nothing is read
}

// session is one connection: login, resumption or a new session, and what comes.
// Its end is no error.
func (m *Managed) session(n int) error {
	c, cl, err := m.login()
	if err != nil {
		time.Sleep(5 * time.Millisecond) // the server is not there
		return nil
	}
	defer c.Close()
	c.left, c.believe = -1, -1
	if m.Cut != nil {
		c.left, c.believe = m.Cut(n)
	}
	m.mu.Lock()
	m.conn = c
	m.begin()
	m.mu.Unlock()
	err = m.listen(c, cl)
	m.mu.Lock()
	m.conn = nil
	m.mu.Unlock()
	return err
}

func (m *Managed) login() (*cutConn, *client, error) {
	nc, err := net.DialTimeout("tcp", m.Addr(), patience)
	if err != nil {
		return nil, nil, err
	}
	c := &cutConn{Conn: nc, left: -1, believe: -1}
	p := newNetPipe(nc)
	host, pass := Domain, password
	if m.Domain != "" {
		host = m.Domain
	}
	if m.Password != "" {
		pass = m.Password
	}
	cl := &client{host: host, pipe: p, v: vars{}, wait: waitFor(p)}
	features, err := cl.open()
	if err == nil {
		err = cl.login(m.User, pass, features)
	}
	if err != nil {
		nc.Close()
	}
	return c, cl, err
}

// waitFor waits for what a pipe brings.
func waitFor(p *netPipe) func(ok func() bool) bool {
	return func(ok func() bool) bool {
		for end := time.Now().Add(patience); !ok(); {
			if p.Ended() || time.Now().After(end) {
				return ok()
			}
			time.Sleep(100 * time.Microsecond)
		}
		return true
	}
}

func (m *Managed) begin() {
	if m.id != "" {
		m.conn.write("<resume xmlns='urn:xmpp:sm:3' h='" + strconv.Itoa(int(m.received)) + "' previd='" + m.id + "'/>")
		return
	}
	m.bind()
}

func (m *Managed) bind() {
	m.conn.write("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + m.Resource +
		"</resource></bind></iq><enable xmlns='urn:xmpp:sm:3' resume='true'/>")
}

// listen takes what comes until the connection ends. Only so many bytes of it are
// believed.
func (m *Managed) listen(c *cutConn, cl *client) error {
	for {
		n, size, err := cl.item()
		if err != nil {
			return nil
		}
		if c.believe >= 0 {
			if c.believe -= size; c.believe < 0 {
				return nil
			}
		}
		if err := m.take(n); err != nil {
			return err
		}
	}
}

// item is take, with the size of what is taken.
func (c *client) item() (n node, size int, err error) {
	before := 0
	c.wait(func() bool {
		c.text += string(c.pipe.Read())
		before = len(c.text)
		n, size, err = next(c.text)
		return err != errMore
	})
	if err == nil {
		c.text = c.text[size:]
	}
	return n, before - len(c.text), err
}

var errManaged = errors.New("the server does not keep to XEP-0198")

func (m *Managed) take(n node) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch local := n.name[strings.LastIndexByte(n.name, '}')+1:]; local {
	case "message", "presence", "iq":
		return m.stanza(local, n)
	case "r":
		m.conn.write("<a xmlns='urn:xmpp:sm:3' h='" + strconv.Itoa(int(m.received)) + "'/>")
	case "a":
		return m.ack(n.attrs["h"])
	case "enabled":
		m.id, m.received, m.acked = n.attrs["id"], 0, 0
		m.conn.write("<presence/>")
		first := []string{"<presence/>"}
		if m.First != "" {
			first = append(first, m.First)
		}
		m.queue = append(first, m.queue...)
		m.flush(1)
	case "resumed":
		m.resumes++
		if err := m.ack(n.attrs["h"]); err != nil {
			return err
		}
		m.flush(0)
	case "failed":
		m.lost++
		m.id = ""
		m.bind()
	case "error":
		return fmt.Errorf("%w: %s", errManaged, n)
	}
	return nil
}

// flush sends what is not acknowledged from the i-th on.
func (m *Managed) flush(i int) {
	for _, s := range m.queue[i:] {
		m.conn.write(s)
	}
	m.conn.ready = true
	m.ask()
}

func (m *Managed) stanza(local string, n node) error {
	if m.id != "" { // else it came before stream management
		m.received++
	}
	if local != "message" {
		return nil
	}
	if n.attrs["type"] == "error" {
		return fmt.Errorf("%w: an error came: %s", errManaged, n)
	}
	body, id := "", ""
	for _, k := range n.kids {
		switch {
		case strings.HasSuffix(k.name, "}body"):
			body = k.kids[0].text
			m.got = append(m.got, body)
		case strings.HasSuffix(k.name, "}stanza-id"):
			id = k.attrs["id"]
		}
	}
	if id != "" {
		if m.told == nil {
			m.told = make(map[string]string)
		}
		m.told[body] = id
	}
	return nil
}

// Told returns the ids that messages have in the archive, by their bodies.
func (m *Managed) Told() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.told
}

func (m *Managed) ack(h string) error {
	n, err := strconv.ParseUint(h, 10, 32)
	if err != nil || int(uint32(n)-m.acked) > len(m.queue) {
		return fmt.Errorf("%w: %q acknowledged, %d is the last and %d wait", errManaged, h, m.acked, len(m.queue))
	}
	m.queue = m.queue[uint32(n)-m.acked:]
	m.acked = uint32(n)
	return nil
}
