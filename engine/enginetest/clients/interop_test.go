//go:build interop

package clients

import (
	"slices"
	"strings"
	"testing"
)

// TestLogin lets each client log in by STARTTLS and by TLS from the first byte,
// with both versions of TLS. Each picks the strongest mechanism it has.
func TestLogin(t *testing.T) {
	s := newServer(t, "")
	s.add("romeo")
	for _, k := range kinds {
		for _, direct := range []bool{false, true} {
			for _, version := range []string{"1.2", "1.3"} {
				way := map[bool]string{false: "starttls", true: "direct"}[direct]
				t.Run(k.name+"/"+way+"/"+version, func(t *testing.T) {
					c := connect(t, s, k, "romeo", version)
					cmd := c.loginCommand(direct)
					cmd.TLS = version
					e := c.ask(cmd, "online")
					if k.unnamed {
						c.jid = c.bare() + "/" + e.JID[strings.Index(e.JID, "/")+1:]
					}
					if e.JID != c.jid || e.TLS != "TLSv"+version || e.Mechanism != k.mechanism {
						t.Errorf("got %+v, want %s, TLS %s, %s", e, c.jid, version, k.mechanism)
					}
					c.ask(command{Do: "ping", To: domain}, "pong")
					c.ask(command{Do: "logout"}, "offline")
				})
			}
		}
	}
}

// TestMechanisms lets those clients that can choose log in by each way we offer.
func TestMechanisms(t *testing.T) {
	s := newServer(t, "")
	s.add("romeo")
	for _, k := range []kind{slixmpp, mellium} {
		for _, mechanism := range []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "PLAIN"} {
			t.Run(k.name+"/"+mechanism, func(t *testing.T) {
				c := connect(t, s, k, "romeo", "")
				cmd := c.loginCommand(false)
				cmd.Mechanism = mechanism
				if e := c.ask(cmd, "online"); e.Mechanism != mechanism {
					t.Errorf("got %+v, want %s", e, mechanism)
				}
			})
		}
	}
}

// TestBadPassword is refused, and the same client then gets in with the right
// one.
func TestBadPassword(t *testing.T) {
	s := newServer(t, "")
	s.add("romeo")
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			for _, name := range []string{"romeo", "nobody"} {
				c := connect(t, s, k, name, "")
				cmd := c.loginCommand(true)
				cmd.Password = "wrong"
				c.do(cmd)
				e := c.take("refused", func(e *event) bool { return e.Event == "refused" || e.Event == "online" })
				if e.Event != "refused" || e.Condition != k.refused {
					t.Errorf("%s: got %+v, want refused with %q", name, e, k.refused)
				}
			}
			k.login(t, s, "romeo")
		})
	}
}

// TestRegister makes an account in band where the client can, changes its
// password, and removes it (XEP-0077).
func TestRegister(t *testing.T) {
	s := newServer(t, "[register]\nenabled = true\n[limits]\nregistrations_per_address = 0")
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			name := "new-" + k.name
			c := connect(t, s, k, name, "")
			cmd := c.loginCommand(false)
			if k.registers {
				cmd.Do = "register"
				c.ask(cmd, "registered")
				c.take("online", func(e *event) bool { return e.Event == "online" })
			} else {
				s.add(name)
				c.ask(cmd, "online")
			}
			c.ask(command{Do: "change", Password: "another password"}, "done")
			c.ask(command{Do: "logout"}, "offline")

			c = connect(t, s, k, name, "")
			cmd = c.loginCommand(false)
			cmd.Password = "another password"
			c.ask(cmd, "online")
			c.do(command{Do: "change"})
			c.take("done", func(e *event) bool { return e.Event == "done" || e.Event == "error" })

			c = connect(t, s, k, name, "")
			c.do(cmd)
			c.take("refused", func(e *event) bool { return e.Event == "refused" })
		})
	}
}

// TestRegisterIsOff: strangers are not offered it, unless the operator wants it.
func TestRegisterIsOff(t *testing.T) {
	s := newServer(t, "")
	c := connect(t, s, slixmpp, "stranger", "")
	cmd := c.loginCommand(false)
	cmd.Do = "register"
	c.do(cmd)
	if e := c.take("refused", func(*event) bool { return true }); e.Event != "refused" || e.Condition != "not-authorized" {
		t.Errorf("got %+v, want no account, so that the login is refused with not-authorized", e)
	}
}

// TestServices: ping (XEP-0199), version (XEP-0092), discovery (XEP-0030), and a
// roster of one's own (RFC 6121 §2).
func TestServices(t *testing.T) {
	s := newServer(t, "")
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s.add("user-" + k.name)
			c := k.available(t, s, "user-"+k.name)
			c.ask(command{Do: "ping", To: domain}, "pong")
			if e := c.ask(command{Do: "version", To: domain}, "version"); e.Name != "Meerkat" {
				t.Errorf("version: got %+v, want Meerkat", e)
			}
			e := c.ask(command{Do: "disco", To: domain}, "info")
			if !slices.Contains(e.Identities, "server/im") {
				t.Errorf("identities: got %v, want server/im", e.Identities)
			}
			for _, want := range []string{"urn:xmpp:ping", "jabber:iq:version", "http://jabber.org/protocol/disco#info", "msgoffline"} {
				if !slices.Contains(e.Features, want) {
					t.Errorf("features: got %v, want %s", e.Features, want)
				}
			}
			friend := "friend@" + domain
			c.ask(command{Do: "roster-set", To: friend, Name: "Fränk & <co>"}, "done")
			want := contact{Name: "Fränk & <co>", Subscription: "none"}
			if e := c.ask(command{Do: "roster"}, "roster"); len(e.Items) != 1 || e.Items[friend] != want {
				t.Errorf("roster: got %v, want %v", e.Items, want)
			}
			c.ask(command{Do: "roster-remove", To: friend}, "done")
			if e := c.ask(command{Do: "roster"}, "roster"); len(e.Items) != 0 {
				t.Errorf("roster: got %v, want none", e.Items)
			}
		})
	}
}
