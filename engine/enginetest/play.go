package enginetest

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"meerkat/store"
)

// Domain is the one of all addresses in transcripts that name none.
const Domain = "test"

// password of every account that a transcript makes without saying one.
const password = "secret"

// world is what the clients of a transcript talk to.
type world interface {
	// configure takes TOML, before anything else.
	configure(toml string) error
	// account makes sure that there is one.
	account(bare, password string) error
	dial(direct bool) (pipe, error)
	// secure turns a connection into one under TLS.
	secure(p pipe) (pipe, error)
	// settle lets the server do all it has to do. It is quiet then.
	settle()
	// until does so until ok, or for too long: then it returns false.
	until(ok func() bool) bool
	sleep(d time.Duration)
	restart() error
	crash() error
}

// Play plays each transcript that pattern names, a glob, against an engine of
// its own: in memory, over a store in a temporary directory, with a clock that
// moves only when the script says "wait". Whatever happened in it, somebody new
// is served afterwards.
func Play(t *testing.T, pattern string) {
	t.Helper()
	PlayOver(t, pattern, nil)
}

// PlayOver is Play over a store that seed has put something into, if it is not nil.
func PlayOver(t *testing.T, pattern string, seed func(st *store.Store) error) {
	t.Helper()
	each(t, pattern, func(t *testing.T) world {
		m := newEngine(t)
		m.seed = seed
		t.Cleanup(func() {
			if err := perform(bystander, m); err != nil && !t.Failed() {
				t.Errorf("another client is not served: %v", err)
			}
		})
		return m
	})
}

// bystander is one who has no part in a transcript.
var bystander = []step{
	{words: []string{"client", "bystander/x"}},
	{words: []string{"bystander/x", "sends"}, body: "<iq type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>"},
	{words: []string{"bystander/x", "receives"}, body: "<iq type='result' id='p' to='bystander@test/x'/>"},
	{words: []string{"bystander/x", "receives", "nothing"}},
}

// PlayTCP plays them against the server at addr, host:port, whose accounts are
// there already. The clock is the real one.
func PlayTCP(t *testing.T, pattern, addr string) {
	t.Helper()
	each(t, pattern, func(t *testing.T) world { return &remote{t: t, addr: addr} })
}

func each(t *testing.T, pattern string, make func(t *testing.T) world) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcript is called %s: %v", pattern, err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".xmpp")
		t.Run(name, func(t *testing.T) { run(t, path, make(t)) })
	}
}

func run(t *testing.T, path string, w world) {
	steps, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := perform(steps, w); err != nil {
		t.Fatal(err)
	}
}

// perform plays steps up to the first that does not go as it says.
func perform(steps []step, w world) error {
	p := &player{world: w, clients: map[string]*client{}, v: vars{}}
	for i := range steps {
		if err := p.step(&steps[i]); err != nil {
			return fmt.Errorf("%s: %s\n%w", steps[i].where, steps[i].line, err)
		}
	}
	return nil
}

// player is a transcript being played.
type player struct {
	world   world
	clients map[string]*client
	v       vars
}

func (p *player) step(s *step) error {
	w := s.words
	switch {
	case w[0] == "config":
		return p.world.configure(s.body)
	case w[0] == "account" && len(w) == 3:
		return p.world.account(withDomain(w[1]), w[2])
	case w[0] == "client" && (len(w) == 2 || len(w) == 4 && w[2] == "as"):
		return p.client(w[1], w[len(w)-1])
	case w[0] == "raw" && (len(w) == 2 || len(w) == 3 && w[2] == "direct"):
		_, err := p.dial(w[1], Domain, len(w) == 3)
		return err
	case w[0] == "wait" && len(w) == 2:
		return p.wait(w[1])
	case s.line == "ids matter":
		p.v[idsMatter] = "yes"
		return nil
	case s.line == "restart server":
		return p.world.restart()
	case s.line == "crash server":
		return p.world.crash()
	}
	c := p.clients[w[0]]
	if c == nil || len(w) < 2 {
		return errors.New("no such step, or no such client")
	}
	return p.act(c, s)
}

func (p *player) wait(d string) error {
	span, err := time.ParseDuration(d)
	if err == nil {
		p.world.settle()
		p.world.sleep(span)
		p.world.settle()
	}
	return err
}

func withDomain(name string) string {
	if !strings.Contains(name, "@") {
		name += "@" + Domain
	}
	return name
}

func (p *player) dial(name, host string, direct bool) (*client, error) {
	conn, err := p.world.dial(direct)
	if err != nil {
		return nil, err
	}
	c := &client{name: name, host: host, pipe: conn, v: p.v, quiet: p.world.settle, wait: p.world.until}
	p.clients[name] = c
	return c, nil
}

// client logs in as user/resource or user@domain/resource.
func (p *player) client(name, full string) error {
	bare, resource, ok := strings.Cut(full, "/")
	if !ok {
		return fmt.Errorf("%s has no resource", full)
	}
	bare = withDomain(bare)
	user, host, _ := strings.Cut(bare, "@")
	if err := p.world.account(bare, password); err != nil {
		return err
	}
	c, err := p.dial(name, host, false)
	if err != nil {
		return err
	}
	features, err := p.secured(c)
	if err != nil {
		return err
	}
	if err := c.login(user, password, features); err != nil {
		return err
	}
	got, err := c.bind(resource)
	if err == nil && got != bare+"/"+resource {
		err = fmt.Errorf("bound as %s", got)
	}
	return err
}

// secured opens a stream, with TLS if that is required.
func (p *player) secured(c *client) (features node, err error) {
	features, err = c.open()
	if err == nil && strings.Contains(features.String(), "}required>") {
		features, err = p.secure(c)
	}
	return features, err
}

func (p *player) secure(c *client) (features node, err error) {
	c.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
	if n, err := c.take(); err != nil || !strings.HasSuffix(n.name, "}proceed") {
		return n, fmt.Errorf("no <proceed/>: %v %s", err, n)
	}
	if err := p.handshake(c); err != nil {
		return features, err
	}
	return c.open()
}

func (p *player) handshake(c *client) (err error) {
	c.pipe, err = p.world.secure(c.pipe)
	return err
}

// act is a step of c's.
func (p *player) act(c *client, s *step) error {
	switch verb := strings.Join(s.words[1:], " "); verb {
	case "opens":
		_, err := c.open()
		return err
	case "secures":
		_, err := p.secure(c)
		return err
	case "handshakes":
		return p.handshake(c)
	case "sends":
		return p.send(c, s.body)
	case "receives", "receives anyorder":
		return p.receive(c, s.body, verb != "receives")
	case "receives nothing":
		return c.expectNothing()
	case "closed":
		return c.expectClosed()
	case "cut":
		if !c.wait(c.pipe.Ended) {
			return errOpen
		}
		c.pipe.Read()
		c.text = ""
		return nil
	case "closes":
		c.send("</stream:stream>")
		return p.receive(c, "</stream:stream>", false)
	case "drops":
		c.pipe.Close()
		p.world.settle()
		return nil
	case "stops reading", "reads again":
		return p.reading(c, verb == "reads again")
	}
	return p.actWith(c, s)
}

// actWith are the steps that say something more.
func (p *player) actWith(c *client, s *step) error {
	w := s.words
	switch {
	case w[1] == "sends":
		text, err := unescape(s.after(2))
		if err != nil {
			return err
		}
		return p.send(c, text)
	case w[1] == "logs" && len(w) == 5:
		features, err := p.secured(c)
		if err != nil {
			return err
		}
		return c.login(w[4], password, features)
	case w[1] == "speaks" && len(w) == 3:
		c.lang = w[2]
		return nil
	case w[1] == "binds" && len(w) == 3:
		_, err := c.bind(w[2])
		return err
	}
	return errors.New("no such step")
}

func (p *player) send(c *client, text string) error {
	c.send(p.v.fill(text))
	p.world.settle()
	return nil
}

func (p *player) receive(c *client, body string, anyOrder bool) error {
	want, err := patterns(body)
	if err != nil {
		return err
	}
	return c.receive(want, anyOrder)
}

// pauser is a pipe whose reader can stop.
type pauser interface {
	StopReading()
	StartReading()
}

func (p *player) reading(c *client, again bool) error {
	r, ok := c.pipe.(pauser)
	switch {
	case !ok:
		return errors.New("this connection cannot stop reading")
	case again:
		r.StartReading()
	default:
		r.StopReading()
	}
	p.world.settle()
	return nil
}

var repeated = regexp.MustCompile(`\{([^{}]*)\*([0-9]+)\}`)

// unescape reads the text of "C sends TEXT".
func unescape(text string) (string, error) {
	quoted := `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
	s, err := strconv.Unquote(quoted)
	if err != nil {
		return "", fmt.Errorf("%s: %w", text, err)
	}
	return repeated.ReplaceAllStringFunc(s, func(m string) string {
		part := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(part[2])
		return strings.Repeat(part[1], n)
	}), nil
}
