package auth

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"meerkat/engine/jid"
	"meerkat/store"
)

const (
	host     = "example.org"
	password = "pencil"
)

var (
	exporter = bytes.Repeat([]byte{0xe}, 32)
	endPoint = bytes.Repeat([]byte{0xd}, 32)
	clear    = Binding{}
	bare     = Binding{TLS: true} // TLS without anything to bind to
	tls12    = Binding{TLS: true, EndPoint: endPoint}
	tls13    = Binding{TLS: true, EndPoint: endPoint, Exporter: exporter}
)

// server is a real store with romeo (pencil), nurse (disabled) and paris, who
// came from elsewhere with keys for SHA-1 alone.
type server struct {
	*Mechanisms
	store    *store.Store
	accounts *Accounts
	opt      Options
}

func newServer(t testing.TB) *server {
	t.Helper()
	s, err := store.Open(store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	secret, err := LoadSecret(s)
	if err != nil {
		t.Fatal(err)
	}
	a := NewAccounts(s)
	v := &server{store: s, accounts: a, opt: Options{Backend: a, Secret: secret, Iterations: MinIterations}}
	v.Mechanisms = v.with(t, Options{})
	c, err := Derive(password, MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	disabled, old := c, Credentials{}
	disabled.Disabled = true
	old.Keys[SHA1] = c.Keys[SHA1]
	for name, c := range map[string]*Credentials{"romeo": &c, "nurse": &disabled, "paris": &old, "ghost": {}} {
		v.update(t, func(tx *store.Tx) error { return a.Create(tx, address(name), c) })
	}
	return v
}

// with returns other mechanisms over the same accounts.
func (v *server) with(t testing.TB, opt Options) *Mechanisms {
	t.Helper()
	opt.Backend, opt.Secret, opt.Iterations = v.opt.Backend, v.opt.Secret, v.opt.Iterations
	m, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (v *server) update(t testing.TB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := updateErr(v.store, fn); err != nil {
		t.Fatal(err)
	}
}

func updateErr(s *store.Store, fn func(tx *store.Tx) error) error {
	ended := make(chan error, 1)
	s.Update(fn, func(err error) { ended <- err })
	return <-ended
}

func address(local string) jid.JID { return jid.MustParse(local + "@" + host) }

// client is the other side of SCRAM, written from the RFC and sharing nothing
// with the server but the hash functions.
type client struct {
	hash     Hash
	flag     string // n, y, p=type
	authzid  string
	name     string
	password string
	binding  []byte
	mechs    []string // as advertised
	types    []string

	first, serverFirst, signature string
}

func (c *client) header() string {
	if c.authzid == "" {
		return c.flag + ",,"
	}
	return c.flag + ",a=" + c.authzid + ","
}

func (c *client) start() []byte {
	c.first = "n=" + c.name + ",r=fyko+d2lbbFgONRv9qkxdawL"
	return []byte(c.header() + c.first)
}

func (c *client) attr(name string) string {
	for _, a := range strings.Split(c.serverFirst, ",") {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			return v
		}
	}
	return ""
}

// finish answers the server-first-message.
func (c *client) finish(challenge []byte) []byte {
	return c.finishWith(map[string][]byte{}, challenge)
}

// finishWith is finish with salted passwords remembered by salt.
func (c *client) finishWith(cache map[string][]byte, challenge []byte) []byte {
	c.serverFirst = string(challenge)
	salted := cache[c.attr("s")]
	if salted == nil {
		salt, _ := base64.StdEncoding.DecodeString(c.attr("s"))
		var iterations int
		fmt.Sscan(c.attr("i"), &iterations)
		salted = saltedPassword(c.hash, c.password, salt, iterations)
		cache[c.attr("s")] = salted
	}
	clientKey := c.hash.mac(salted, []byte("Client Key"))
	bound := base64.StdEncoding.EncodeToString(append([]byte(c.header()), c.binding...))
	final := "c=" + bound + ",r=" + c.attr("r")
	message := []byte(c.first + "," + c.serverFirst + "," + final)
	proof := c.hash.mac(c.hash.sum(clientKey), message)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	c.signature = "v=" + base64.StdEncoding.EncodeToString(c.hash.mac(c.hash.mac(salted, []byte("Server Key")), message))
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof))
}

// saltedPassword is Hi() of RFC 5802 §2.2, by the letter.
func saltedPassword(h Hash, password string, salt []byte, iterations int) []byte {
	u := h.mac([]byte(password), salt, []byte{0, 0, 0, 1})
	sum := slices.Clone(u)
	for range iterations - 1 {
		u = h.mac([]byte(password), u)
		for i := range u {
			sum[i] ^= u[i]
		}
	}
	return sum
}

// digest is what h= must be, by XEP-0474 §5.1.
func (c *client) digest() string {
	slices.Sort(c.mechs)
	slices.Sort(c.types)
	s := strings.Join(c.mechs, "\x1e")
	if len(c.types) > 0 {
		s += "\x1f" + strings.Join(c.types, "\x1e")
	}
	return base64.StdEncoding.EncodeToString(c.hash.sum([]byte(s)))
}

// login runs a whole SCRAM negotiation.
func (c *client) login(t testing.TB, m *Mechanisms, mech string, b Binding) (jid.JID, error) {
	t.Helper()
	x, err := m.Start(mech, b, host)
	if err != nil {
		return jid.JID{}, err
	}
	challenge, done, err := x.Step(c.start())
	if err != nil || done {
		return x.User(), err
	}
	out, done, err := x.Step(c.finish(challenge))
	if err != nil {
		return x.User(), err
	}
	if !done || string(out) != c.signature {
		t.Errorf("%s: last step %q, done %v; want %q", mech, out, done, c.signature)
	}
	if got, want := c.attr("h"), c.digest(); got != want {
		t.Errorf("%s: h=%s, want %s", mech, got, want)
	}
	return x.User(), nil
}

func TestScramLetsInByEveryHashAndBinding(t *testing.T) {
	v := newServer(t)
	f := func(mech string, hash Hash, flag string, binding []byte, b Binding) {
		t.Helper()
		c := &client{hash: hash, flag: flag, name: "romeo", password: password, binding: binding,
			mechs: slices.Clone(v.Offer(b)), types: slices.Clone(v.BindingTypes(b))}
		if user, err := c.login(t, v.Mechanisms, mech, b); err != nil || user != address("romeo") {
			t.Errorf("%s %s: user %q, error %v", mech, flag, user, err)
		}
	}
	for h := range Hash(hashes) {
		f("SCRAM-"+h.String(), h, "n", nil, clear)
		f("SCRAM-"+h.String(), h, "y", nil, clear)
		f("SCRAM-"+h.String(), h, "y", nil, bare)
		f("SCRAM-"+h.String(), h, "n", nil, tls13)
		f("SCRAM-"+h.String()+"-PLUS", h, "p=tls-exporter", exporter, tls13)
		f("SCRAM-"+h.String()+"-PLUS", h, "p=tls-server-end-point", endPoint, tls13)
		f("SCRAM-"+h.String()+"-PLUS", h, "p=tls-server-end-point", endPoint, tls12)
	}
}

func TestUserIsTheStoredNameNotTheTypedOne(t *testing.T) {
	v := newServer(t)
	for _, typed := range []string{"ROMEO", "\uff32omeo", "RoMeO"} {
		c := &client{hash: SHA256, flag: "n", name: typed, password: password, mechs: slices.Clone(v.Offer(clear))}
		if user, err := c.login(t, v.Mechanisms, "SCRAM-SHA-256", clear); err != nil || user.String() != "romeo@example.org" {
			t.Errorf("SCRAM as %q: user %q, error %v; want romeo@example.org", typed, user, err)
		}
		if user, err := plainLogin(t, v, "\x00"+typed+"\x00"+password); err != nil || user.String() != "romeo@example.org" {
			t.Errorf("PLAIN as %q: user %q, error %v; want romeo@example.org", typed, user, err)
		}
	}
}

func plainLogin(t testing.TB, v *server, message string) (jid.JID, error) {
	t.Helper()
	x, err := v.Start("PLAIN", tls13, host)
	if err != nil {
		t.Fatal(err)
	}
	out, done, err := x.Step([]byte(message))
	if err == nil && (!done || len(out) > 0) {
		t.Errorf("PLAIN %q: %q, done %v", message, out, done)
	}
	return x.User(), err
}

func TestAuthzidMayBeOnesOwnBareJID(t *testing.T) {
	v := newServer(t)
	for _, authzid := range []string{"", "romeo@example.org", "Romeo@EXAMPLE.org."} {
		if user, err := plainLogin(t, v, authzid+"\x00romeo\x00pencil"); err != nil || user != address("romeo") {
			t.Errorf("PLAIN as %q: user %q, error %v", authzid, user, err)
		}
		c := &client{hash: SHA1, flag: "n", authzid: authzid, name: "romeo", password: password, mechs: slices.Clone(v.Offer(clear))}
		if user, err := c.login(t, v.Mechanisms, "SCRAM-SHA-1", clear); err != nil || user != address("romeo") {
			t.Errorf("SCRAM as %q: user %q, error %v", authzid, user, err)
		}
	}
}

func TestNoInitialResponseIsAskedForOnce(t *testing.T) {
	v := newServer(t)
	x, _ := v.Start("PLAIN", tls13, host)
	out, done, err := x.Step(nil)
	if out == nil || len(out) != 0 || done || err != nil {
		t.Fatalf("first step of nothing: %q, %v, %v; want an empty challenge", out, done, err)
	}
	if !x.User().IsZero() {
		t.Errorf("user %q before the end", x.User())
	}
	if _, done, err = x.Step([]byte("\x00romeo\x00pencil")); !done || err != nil {
		t.Fatalf("then the message: done %v, %v", done, err)
	}
	x, _ = v.Start("PLAIN", tls13, host)
	_, _, _ = x.Step(nil)
	wantCondition(t, "nothing twice", second(x.Step(nil)), MalformedRequest)
}

func second(_ []byte, _ bool, err error) error { return err }

func wantCondition(t *testing.T, what string, err error, want Condition) {
	t.Helper()
	f, ok := err.(Failure)
	if !ok || f.Condition != want {
		t.Errorf("%.100q: %v, want %v", what, err, want)
	}
}

func TestOfferDependsOnTheConnection(t *testing.T) {
	v := newServer(t)
	all := mechanismNames()
	f := func(what string, m *Mechanisms, b Binding, names, types []string) {
		t.Helper()
		if got := m.Offer(b); !slices.Equal(got, names) {
			t.Errorf("%s: offers %q, want %q", what, got, names)
		}
		if got := m.BindingTypes(b); !slices.Equal(got, types) {
			t.Errorf("%s: binding types %q, want %q", what, got, types)
		}
	}
	f("in clear", v.Mechanisms, clear, all[3:6], nil)
	f("TLS without binding", v.Mechanisms, bare, all[3:], nil)
	f("TLS 1.2", v.Mechanisms, tls12, all, []string{"tls-server-end-point"})
	f("TLS 1.3", v.Mechanisms, tls13, all, []string{"tls-exporter", "tls-server-end-point"})
	f("binding data without TLS", v.Mechanisms, Binding{Exporter: exporter}, all[3:6], nil)

	some := v.with(t, Options{Names: []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, RequireTLS: true})
	f("TLS required, in clear", some, clear, nil, nil)
	f("no PLUS, no types", some, tls13, []string{"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"}, nil)
}

func TestOnlyPlainIsHeavy(t *testing.T) {
	v := newServer(t)
	for _, name := range v.Offer(tls13) {
		x, err := v.Start(name, tls13, host)
		if err != nil || x.Heavy() != (name == "PLAIN") || x.Mechanism() != name {
			t.Errorf("%s: Heavy %v, Mechanism %q, %v", name, x.Heavy(), x.Mechanism(), err)
		}
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	v := newServer(t)
	f := func(what string, edit func(o *Options)) {
		t.Helper()
		o := v.opt
		edit(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
	f("unknown name", func(o *Options) { o.Names = []string{"CRAM-MD5"} })
	f("lower case", func(o *Options) { o.Names = []string{"plain"} })
	f("no backend", func(o *Options) { o.Backend = nil })
	f("short secret", func(o *Options) { o.Secret = o.Secret[:31] })
	f("few iterations", func(o *Options) { o.Iterations = MinIterations - 1 })
	f("many iterations", func(o *Options) { o.Iterations = MaxIterations + 1 })
}
