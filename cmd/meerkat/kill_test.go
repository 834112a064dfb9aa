package main

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// What the kill test sends in all.
const (
	killMessages = 10000
	killContacts = 1000
	killWindow   = 64 // messages and changes sent ahead of their answers
)

// Rule 23: killed at any moment under load, the server has after a restart all
// that it had acknowledged, once and in order. An answer to a request
// acknowledges the request and every stanza of the same client before it.
func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	writeConfig(t, dir, "offline_messages = 0\noffline_bytes = 0\nbytes_per_second = 0\n")
	for _, name := range []string{"romeo@localhost", "juliet@localhost"} {
		if _, errs, code := meerkat(t, dir, "secret", "account", "add", name, "-password-stdin", "-config", "meerkat.toml"); code != 0 {
			t.Fatalf("account add: %s", errs)
		}
	}
	k := &kills{t: t}
	for k.sent < killMessages {
		r := start(t, dir)
		k.load(r)
		<-r.ended
	}
	r := start(t, dir)
	k.verifyMessages(r)
	k.verifyRoster(r)
	r.stop()
	t.Logf("%d kills, %d messages and %d contacts acknowledged of %d and %d sent", k.rounds, len(k.acked), k.contacts, k.sent, k.sent*killContacts/killMessages)
}

// kills is what the sender knows.
type kills struct {
	t        *testing.T
	rounds   int
	sent     int          // messages, over all rounds
	acked    map[int]bool // of them
	contacts int          // roster items acknowledged
}

// load sends from where it was until the server, killed at a random moment, is
// gone.
func (k *kills) load(r *running) {
	s, conn, err := login(r.addrs[0], "romeo@localhost", "secret")
	if err != nil {
		k.t.Fatal(err)
	}
	defer conn.Close()
	k.rounds++
	last := k.rounds > 4 // rather finish than kill for ever
	if !last {
		time.AfterFunc(time.Duration(50+rand.IntN(500))*time.Millisecond, func() { _ = r.cmd.Process.Kill() })
	}
	tokens := make(chan struct{}, killWindow)
	done := make(chan struct{})
	go func() { k.acknowledge(s.Conn(), tokens); close(done) }()
	w := bufio.NewWriter(s.Conn())
	for err == nil && k.sent < killMessages {
		select {
		case tokens <- struct{}{}:
		case <-done: // the connection has ended
			err = io.EOF
			continue
		}
		err = k.send(w)
	}
	if err == nil {
		for range killWindow { // wait for the answers that are due
			select {
			case tokens <- struct{}{}:
			case <-done:
			}
		}
	}
	_ = r.cmd.Process.Kill() // it may have been killed before
	<-done
}

// send writes a message, a roster change with every tenth, and a request whose
// answer acknowledges them.
func (k *kills) send(w *bufio.Writer) error {
	n := k.sent
	k.sent++
	fmt.Fprintf(w, "<message to='juliet@localhost' type='chat' id='%d'><body>%s</body></message>", n, strings.Repeat("x", n%500+1))
	if n%(killMessages/killContacts) == 0 {
		fmt.Fprintf(w, "<iq type='set' id='r%d'><query xmlns='jabber:iq:roster'><item jid='c%d@example.org'/></query></iq>", n, n)
	}
	fmt.Fprintf(w, "<iq type='get' id='m%d' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>", n)
	return w.Flush()
}

// acknowledge reads answers until the connection ends.
func (k *kills) acknowledge(conn io.Reader, tokens <-chan struct{}) {
	if k.acked == nil {
		k.acked = map[int]bool{}
	}
	eachElement(conn, func(e element) bool {
		var n int
		switch {
		case e.XMLName.Local != "iq" || e.Type == "set": // a roster push
		case e.Type != "result":
			k.t.Errorf("%s was refused: %s", e.ID, e.Inner)
		case e.ID[0] == 'r':
			k.contacts++
		default:
			fmt.Sscanf(e.ID, "m%d", &n)
			k.acked[n] = true
			<-tokens
		}
		return true
	})
}

// element is a stanza as far as the test looks.
type element struct {
	XMLName xml.Name
	Type    string `xml:"type,attr"`
	ID      string `xml:"id,attr"`
	Body    string `xml:"body"`
	Items   []struct {
		JID string `xml:"jid,attr"`
	} `xml:"query>item"`
	Inner string `xml:",innerxml"`
}

// eachElement calls fn for each stanza until it says false or the stream ends.
func eachElement(conn io.Reader, fn func(e element) bool) {
	d := xml.NewDecoder(conn)
	d.Strict = false // the header of the stream has been read by somebody else
	for {
		token, err := d.Token()
		if err != nil {
			return
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		var e element
		if d.DecodeElement(&e, &start) != nil || !fn(e) {
			return
		}
	}
}

// verifyMessages logs in as the recipient, who has been away all the time.
func (k *kills) verifyMessages(r *running) {
	s, conn, err := login(r.addrs[0], "juliet@localhost", "secret")
	if err != nil {
		k.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(3 * patience)); err != nil {
		k.t.Fatal(err)
	}
	if _, err := io.WriteString(s.Conn(), "<presence/>"); err != nil {
		k.t.Fatal(err)
	}
	seen, last := map[int]bool{}, -1
	eachElement(s.Conn(), func(e element) bool {
		if e.XMLName.Local != "message" {
			return true
		}
		var n int
		fmt.Sscan(e.ID, &n)
		if seen[n] || n <= last || len(e.Body) != n%500+1 {
			k.t.Errorf("message %d with %d letters after %d, seen before: %v", n, len(e.Body), last, seen[n])
		}
		seen[n], last = true, n
		if n == killMessages-1 { // the last round was not cut short; look for more all the same
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		}
		return true
	})
	for n := range k.acked {
		if !seen[n] {
			k.t.Errorf("message %d was acknowledged and is lost", n)
		}
	}
}

// verifyRoster counts the contacts of the sender.
func (k *kills) verifyRoster(r *running) {
	s, conn, err := login(r.addrs[0], "romeo@localhost", "secret")
	if err != nil {
		k.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		k.t.Fatal(err)
	}
	if _, err := io.WriteString(s.Conn(), "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>"); err != nil {
		k.t.Fatal(err)
	}
	items := map[string]bool{}
	eachElement(s.Conn(), func(e element) bool {
		for _, i := range e.Items {
			if items[i.JID] {
				k.t.Errorf("%s is twice in the roster", i.JID)
			}
			items[i.JID] = true
		}
		return e.ID != "roster"
	})
	if len(items) < k.contacts {
		k.t.Errorf("%d contacts in the roster, %d were acknowledged", len(items), k.contacts)
	}
}
