//go:build interop

package clients

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// command is what a client is told to do. Each is answered by an event, but for
// presence and send.
type command struct {
	Do string `json:"do"`

	// login: online or refused. register: the same, after registered.
	JID       string `json:"jid,omitempty"`
	Domain    string `json:"domain,omitempty"`
	Port      int    `json:"port,omitempty"`
	Direct    bool   `json:"direct"`
	TLS       string `json:"tls,omitempty"`       // 1.2 or 1.3 and no other; "": as it likes
	Mechanism string `json:"mechanism,omitempty"` // "": as it likes
	CA        string `json:"ca,omitempty"`
	Password  string `json:"password"` // also of change: "" removes the account

	// presence, send, ping, disco, version, roster-set, roster-remove
	To     string `json:"to,omitempty"`
	Type   string `json:"type,omitempty"`
	Show   string `json:"show,omitempty"`
	Status string `json:"status,omitempty"`
	Name   string `json:"name,omitempty"`
	Body   string `json:"body,omitempty"` // of send: a number from 0 comes behind it
	N      int    `json:"n,omitempty"`    // of send: how many; of upload: bytes
	URL    string `json:"url,omitempty"`  // of fetch

	Managed bool              `json:"managed,omitempty"` // login: with stream management
	Values  map[string]string `json:"values,omitempty"`  // of execute: what the form is filled in with
}

// event is what a client reports.
type event struct {
	Event string `json:"event"` // as commands say; message, presence, error

	JID       string `json:"jid"` // of online
	TLS       string `json:"tls"`
	Mechanism string `json:"mechanism"`
	Condition string `json:"condition"` // of refused, error, message

	From   string `json:"from"`
	Type   string `json:"type"`
	Body   string `json:"body"`
	Stamp  bool   `json:"stamp"` // there was a delay element
	Show   string `json:"show"`
	Status string `json:"status"`

	Items      map[string]contact `json:"items"`
	Name       string             `json:"name"`
	Features   []string           `json:"features"`
	Identities []string           `json:"identities"`

	URL  string `json:"url"`  // of uploaded
	Same bool   `json:"same"` // of fetched: it is what upload makes of N bytes
	N    int    `json:"n"`

	Values map[string]string `json:"values"` // of a form
}

type contact struct {
	Name         string `json:"name"`
	Subscription string `json:"subscription"`
}

// kind is a client that somebody else wrote.
type kind struct {
	name string
	// start runs it, with TLS of that version only if version is not "".
	start func(t *testing.T, s *server, version string) (in io.WriteCloser, out io.Reader)
	// mechanism is what it picks by itself: the strongest it has.
	mechanism string
	refused   string // what it says of a bad password
	registers bool   // can make an account in band before login
	unnamed   bool   // takes the resource that the server makes
}

var (
	slixmpp = kind{name: "slixmpp", start: startSlixmpp, mechanism: "SCRAM-SHA-512-PLUS", refused: "not-authorized", registers: true}
	xmppjs  = kind{name: "xmppjs", start: startXMPPJS, mechanism: "SCRAM-SHA-1", refused: "not-authorized", unnamed: true}
	mellium = kind{name: "mellium", start: startMellium, mechanism: "SCRAM-SHA-256-PLUS", refused: "the name or the password is wrong", unnamed: true}

	kinds = []kind{slixmpp, xmppjs, mellium}
	pairs = [][2]kind{{slixmpp, slixmpp}, {xmppjs, xmppjs}, {mellium, mellium}, {slixmpp, xmppjs}, {xmppjs, mellium}}
)

func startSlixmpp(t *testing.T, s *server, _ string) (io.WriteCloser, io.Reader) {
	// Debian's own Python: another one does not find Debian's packages.
	cmd := exec.Command("/usr/bin/python3", "testdata/slixmpp/client.py")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+s.certificate())
	return run(t, cmd)
}

// npm is the directory where @xmpp/client has been installed.
var npm struct {
	once sync.Once
	dir  string
	err  error
}

func startXMPPJS(t *testing.T, s *server, version string) (io.WriteCloser, io.Reader) {
	t.Helper()
	npm.once.Do(func() { npm.dir, npm.err = install() })
	if npm.err != nil {
		t.Fatal(npm.err)
	}
	args := []string{"--dns-result-order=ipv4first"}
	if version != "" {
		args = append(args, "--tls-min-v"+version, "--tls-max-v"+version)
	}
	cmd := exec.Command("node", append(args, "client.mjs")...)
	cmd.Dir = npm.dir
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+s.certificate())
	return run(t, cmd)
}

func install() (string, error) {
	dir := filepath.Join(binary.dir, "xmppjs")
	if err := os.CopyFS(dir, os.DirFS("testdata/xmppjs")); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "ci", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	return dir, nil
}

// run starts a program that ends with its standard input.
func run(t *testing.T, cmd *exec.Cmd) (io.WriteCloser, io.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (.ci/run installs the clients)", err)
	}
	t.Cleanup(func() {
		in.Close()
		late := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		_ = cmd.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Logf("%s says:\n%s", strings.Join(cmd.Args, " "), said.String())
		}
	})
	return in, out
}

// client is a running client of some kind.
type client struct {
	t    *testing.T
	kind kind
	s    *server
	jid  string // full
	in   io.Writer

	mu     sync.Mutex
	events []event
	came   chan struct{} // has one if there is something new
	ended  bool
}

// connect starts a client, which does not log in yet.
func connect(t *testing.T, s *server, k kind, name, version string) *client {
	t.Helper()
	c := &client{t: t, kind: k, s: s, jid: name + "@" + domain + "/" + k.name, came: make(chan struct{}, 1)}
	in, out := k.start(t, s, version)
	c.in = in
	go c.read(out)
	return c
}

func (c *client) read(out io.Reader) {
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		var e event
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			e = event{Event: "error", Condition: err.Error() + " in " + sc.Text()}
		}
		c.mu.Lock()
		c.events = append(c.events, e)
		c.mu.Unlock()
		c.wake()
	}
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.wake()
}

func (c *client) wake() {
	select {
	case c.came <- struct{}{}:
	default:
	}
}

func (c *client) bare() string { return strings.Split(c.jid, "/")[0] }

// do gives a command.
func (c *client) do(cmd command) {
	c.t.Helper()
	line, err := json.Marshal(cmd)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(line, '\n')); err != nil {
		c.t.Fatalf("%s: %s: %v", c.jid, cmd.Do, err)
	}
}

// take removes the first event that fits, waiting for it. Others stay.
func (c *client) take(what string, fits func(e *event) bool) event {
	c.t.Helper()
	late := time.After(patience)
	for seen := 0; ; {
		c.mu.Lock()
		for ; seen < len(c.events); seen++ {
			if e := c.events[seen]; fits(&e) {
				c.events = append(c.events[:seen], c.events[seen+1:]...)
				c.mu.Unlock()
				return e
			}
		}
		ended := c.ended
		c.mu.Unlock()
		if ended {
			c.t.Fatalf("%s has ended and never reported %s; it reported %s", c.jid, what, c.report())
		}
		select {
		case <-c.came:
		case <-late:
			c.t.Fatalf("%s does not report %s; it reports %s", c.jid, what, c.report())
		}
	}
}

func (c *client) report() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.events) > 20 {
		return fmt.Sprintf("%d events, the first are %+v", len(c.events), c.events[:20])
	}
	return fmt.Sprintf("%+v", c.events)
}

// ask gives a command and wants that answer.
func (c *client) ask(cmd command, answer string) event {
	c.t.Helper()
	c.do(cmd)
	e := c.take(answer, func(e *event) bool {
		return e.Event == answer || e.Event == "error" || e.Event == "refused"
	})
	if e.Event != answer {
		c.t.Fatalf("%s: %s: got %+v, want %s", c.jid, cmd.Do, e, answer)
	}
	return e
}

// loginCommand is the command to log in, to be changed before it is given.
func (c *client) loginCommand(direct bool) command {
	addr := c.s.starttls
	if direct {
		addr = c.s.direct
	}
	_, p, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(p)
	return command{
		Do: "login", JID: c.jid, Password: password, Domain: domain, Port: n, Direct: direct, CA: c.s.certificate(),
	}
}

// login starts a client and logs in, as it likes.
func (k kind) login(t *testing.T, s *server, name string) *client {
	t.Helper()
	c := connect(t, s, k, name, "")
	c.jid = c.ask(c.loginCommand(false), "online").JID
	return c
}

// available logs in, asks for the roster as clients do, and sends presence.
func (k kind) available(t *testing.T, s *server, name string) *client {
	t.Helper()
	c := k.login(t, s, name)
	c.ask(command{Do: "roster"}, "roster")
	c.do(command{Do: "presence"})
	return c
}

// presence takes the presence of that type from a full or bare JID.
func (c *client) presence(kind, from string) event {
	c.t.Helper()
	return c.take("presence "+kind+" from "+from, func(e *event) bool {
		return e.Event == "presence" && e.Type == kind && (e.From == from || strings.Split(e.From, "/")[0] == from)
	})
}

// messages takes n messages from c and wants them to be those that send made,
// in order, each once. Stored ones have the time of their sending; others may,
// if they come right behind presence.
func (c *client) messages(from *client, body string, n int, stored bool) {
	c.t.Helper()
	for i := range n {
		want := body + " " + strconv.Itoa(i)
		e := c.take("message "+want, func(e *event) bool { return e.Event == "message" })
		if e.Body != want || e.Type != "chat" || e.From != from.jid || stored && !e.Stamp {
			c.t.Fatalf("%s: got message %+v, want %q from %s, with a delay if stored: %v", c.jid, e, want, from.jid, stored)
		}
	}
}

// nothingMore wants no message to be left. Whatever was on its way before the
// answer to a ping has come with it.
func (c *client) nothingMore() {
	c.t.Helper()
	c.ask(command{Do: "ping", To: domain}, "pong")
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if e.Event == "message" || e.Event == "error" {
			c.t.Errorf("%s: got %+v, which nobody sent", c.jid, e)
		}
	}
}
