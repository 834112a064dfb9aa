package enginetest

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"mellium.im/sasl"
)

// pipe is a connection seen from the client.
type pipe interface {
	Send(b []byte)
	// Read returns what has come since the last Read, without waiting.
	Read() []byte
	// Ended reports that nothing more will come.
	Ended() bool
	// Close cuts the connection.
	Close()
}

// client is one connection of a transcript.
type client struct {
	name string
	host string // the domain its streams are for
	lang string // xml:lang of its streams, if any
	pipe pipe
	text string // come and not taken
	v    vars
	// quiet lets the server do all there is to do, or waits a little.
	quiet func()
	// wait does the same until ok, or for too long: then it returns false.
	wait func(ok func() bool) bool
}

var errOpen = errors.New("the connection is open")

func (c *client) send(text string) { c.pipe.Send([]byte(text)) }

// take takes the next item that has come. It waits for it.
func (c *client) take() (n node, err error) {
	var size int
	c.wait(func() bool {
		c.text += string(c.pipe.Read())
		n, size, err = next(c.text)
		return err != errMore || c.pipe.Ended() && !c.more()
	})
	if err == nil {
		c.text = c.text[size:]
	}
	if err == errMore {
		err = fmt.Errorf("nothing comes; unread: %q", c.text)
	}
	return n, err
}

// more takes in what came just before the end.
func (c *client) more() bool {
	b := c.pipe.Read()
	c.text += string(b)
	return len(b) > 0
}

// receive takes as many items as there are in want and compares.
func (c *client) receive(want []node, anyOrder bool) error {
	for len(want) > 0 {
		got, err := c.take()
		if err != nil {
			return fmt.Errorf("%w\nwant:\n%s", err, want[0])
		}
		i := c.find(want, got, anyOrder)
		if i < 0 {
			return fmt.Errorf("got:\n%swant:\n%s", got, want[0])
		}
		want = append(want[:i:i], want[i+1:]...)
	}
	return nil
}

func (c *client) find(want []node, got node, anyOrder bool) int {
	for i, w := range want {
		if c.v.match(w, got) {
			return i
		}
		if !anyOrder {
			break
		}
	}
	return -1
}

// expectNothing fails if anything but white space is unread.
func (c *client) expectNothing() error {
	c.quiet()
	if c.more(); strings.TrimSpace(c.text) != "" {
		return fmt.Errorf("got: %s\nwant nothing", c.text)
	}
	return nil
}

// expectClosed fails unless the server has closed the connection.
func (c *client) expectClosed() error {
	if !c.wait(c.pipe.Ended) {
		return errOpen
	}
	return c.expectNothing()
}

func (c *client) header() string {
	lang := ""
	if c.lang != "" {
		lang = "xml:lang='" + c.lang + "' "
	}
	return "<?xml version='1.0'?><stream:stream to='" + c.host + "' version='1.0' " + lang +
		"xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
}

// open begins a stream and returns the features.
func (c *client) open() (features node, err error) {
	c.send(c.header())
	if n, err := c.take(); err != nil || n.name != headerName {
		return n, fmt.Errorf("no stream header: %v %s", err, n)
	}
	features, err = c.take()
	if err == nil && !strings.HasSuffix(features.name, "}features") {
		err = fmt.Errorf("no features: %s", features)
	}
	return features, err
}

// login logs in by the best mechanism that is offered and begins a new stream.
func (c *client) login(user, password string, features node) error {
	mech, err := choose(features)
	if err != nil {
		return err
	}
	n := sasl.NewClient(mech, sasl.Credentials(func() ([]byte, []byte, []byte) {
		return []byte(user), []byte(password), nil
	}))
	_, out, err := n.Step(nil)
	if err != nil {
		return err
	}
	c.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='" + mech.Name + "'>" + encode(out) + "</auth>")
	if err := c.negotiate(n); err != nil {
		return fmt.Errorf("log in as %s: %w", user, err)
	}
	_, err = c.open()
	return err
}

// negotiate answers challenges until success.
func (c *client) negotiate(n *sasl.Negotiator) error {
	for {
		got, err := c.take()
		if err != nil {
			return err
		}
		data, err := decode(got)
		switch {
		case err != nil:
			return err
		case strings.HasSuffix(got.name, "}success"):
			if len(data) > 0 {
				_, _, err = n.Step(data)
			}
			return err
		case !strings.HasSuffix(got.name, "}challenge"):
			return fmt.Errorf("refused:\n%s", got)
		}
		_, out, err := n.Step(data)
		if err != nil {
			return err
		}
		c.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + encode(out) + "</response>")
	}
}

// choose takes the first of ours that features offer.
func choose(features node) (sasl.Mechanism, error) {
	offered := map[string]bool{}
	for _, k := range features.kids {
		for _, m := range k.kids {
			if strings.HasSuffix(m.name, "}mechanism") && len(m.kids) == 1 {
				offered[m.kids[0].text] = true
			}
		}
	}
	for _, m := range []sasl.Mechanism{sasl.ScramSha1, sasl.ScramSha256, sasl.Plain} {
		if offered[m.Name] {
			return m, nil
		}
	}
	return sasl.Mechanism{}, fmt.Errorf("no way to log in: %s", features)
}

// bind binds a resource and returns the full JID.
func (c *client) bind(resource string) (string, error) {
	request := "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
	if resource != "" {
		request = strings.Replace(request, "/></iq>", "><resource>"+resource+"</resource></bind></iq>", 1)
	}
	c.send(request)
	got, err := c.take()
	if err != nil {
		return "", err
	}
	if got.attrs["type"] != "result" || len(got.kids) != 1 || len(got.kids[0].kids) != 1 {
		return "", fmt.Errorf("not bound:\n%s", got)
	}
	return got.kids[0].kids[0].kids[0].text, nil
}

func encode(b []byte) string {
	if b != nil && len(b) == 0 {
		return "="
	}
	return base64.StdEncoding.EncodeToString(b)
}

func decode(n node) ([]byte, error) {
	if len(n.kids) == 0 || n.kids[0].name != "" {
		return nil, nil
	}
	return base64.StdEncoding.DecodeString(n.kids[0].text)
}
