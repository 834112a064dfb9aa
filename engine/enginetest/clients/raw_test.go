package clients

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// raw is a client that sends what it is told to and reads elements. It speaks
// TLS from the first byte, and logs in with PLAIN: the server's own tests of
// logging in are elsewhere.
type raw struct {
	conn net.Conn
	out  *bufio.Writer
	in   *xml.Decoder
	jid  string // bare
}

// element is any stanza, as far as these tests look into it.
type element struct {
	XMLName xml.Name
	ID      string `xml:"id,attr"`
	From    string `xml:"from,attr"`
	Type    string `xml:"type,attr"`
	Body    string `xml:"body"`
	Items   []item `xml:"query>item"`
	// Of an archive (XEP-0313).
	Archived struct {
		ID   string `xml:"id,attr"`
		Body string `xml:"forwarded>message>body"`
	} `xml:"result"`
	Fin struct {
		Complete bool   `xml:"complete,attr"`
		Last     string `xml:"set>last"`
	} `xml:"fin"`
	Delay *struct {
		Stamp string `xml:"stamp,attr"`
	} `xml:"urn:xmpp:delay delay"`
}

type item struct {
	JID  string `xml:"jid,attr"`
	Name string `xml:"name,attr"`
}

// login connects and binds a resource of the server's choice.
func login(t *testing.T, s *server, name string) *raw {
	t.Helper()
	c, err := dial(s, name)
	if err != nil {
		t.Fatalf("login of %s: %v", name, err)
	}
	t.Cleanup(func() { c.conn.Close() })
	return c
}

func dial(s *server, name string) (*raw, error) {
	conn, err := tls.Dial("tcp", s.direct, s.tls)
	if err != nil {
		return nil, err
	}
	c := &raw{conn: conn, out: bufio.NewWriter(conn), jid: name + "@" + domain}
	conn.SetDeadline(time.Now().Add(patience))
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + name + "\x00" + password))
	for _, step := range []struct{ say, hear string }{
		{header, "features"},
		{"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + plain + "</auth>", "success"},
		{header, "features"},
		{"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>", "iq"},
	} {
		if step.say == header {
			c.in = xml.NewDecoder(bufio.NewReader(conn))
		}
		c.send("%s", step.say)
		if e, err := c.next(); err != nil || e.XMLName.Local != step.hear || e.Type == "error" {
			conn.Close()
			return nil, fmt.Errorf("want %s, got %+v, %v", step.hear, e, err)
		}
	}
	return c, nil
}

const header = "<stream:stream to='" + domain + "' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

// write puts a stanza into the buffer; send sends the buffer too.
func (c *raw) write(format string, args ...any) error {
	_, err := fmt.Fprintf(c.out, format, args...)
	return err
}

func (c *raw) send(format string, args ...any) error {
	if err := c.write(format, args...); err != nil {
		return err
	}
	return c.out.Flush()
}

// next is the next element, io.EOF at the end of the stream.
func (c *raw) next() (e element, err error) {
	c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		tok, err := c.in.Token()
		if err != nil {
			return e, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if tok.Name.Local == "stream" {
				continue
			}
			err := c.in.DecodeElement(&e, &tok)
			return e, err
		case xml.EndElement:
			return e, io.EOF
		}
	}
}

// until reads up to and with the element that fits, and returns all.
func (c *raw) until(t *testing.T, what string, fits func(e *element) bool) (all []element) {
	t.Helper()
	for {
		e, err := c.next()
		if err != nil {
			t.Fatalf("%s waits for %s: %v, after %d elements", c.jid, what, err, len(all))
		}
		all = append(all, e)
		if fits(&e) {
			return all
		}
	}
}

// logout ends the stream in order and waits for the server's end of it.
func (c *raw) logout(t *testing.T) {
	t.Helper()
	if err := c.send("</stream:stream>"); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := c.next(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%s: end of stream: %v", c.jid, err)
		}
	}
	c.conn.Close()
}

// user is the local part of an address.
func user(jid string) string {
	name, _, _ := strings.Cut(jid, "@")
	return name
}
