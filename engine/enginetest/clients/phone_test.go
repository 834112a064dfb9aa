//go:build interop

package clients

import (
	"slices"
	"strings"
	"testing"
)

// TestPush wakes a phone by an app server, both on slixmpp (XEP-0357): when it has
// said goodbye, when it is gone without a word, and after kill -9 of the server.
func TestPush(t *testing.T) {
	s := newServer(t, "")
	s.add("romeo", "juliet", "push")
	app := slixmpp.login(t, s, "push")
	app.ask(command{Do: "serve"}, "serving")
	phone := connect(t, s, slixmpp, "romeo", "")
	in := phone.loginCommand(false)
	in.Managed = true
	phone.jid = phone.ask(in, "online").JID
	phone.take("managed", func(e *event) bool { return e.Event == "managed" })
	if e := phone.ask(command{Do: "disco", To: phone.bare()}, "info"); !slices.Contains(e.Features, "urn:xmpp:push:0") {
		t.Errorf("the account does not say that it can: %v", e.Features)
	}
	phone.ask(command{Do: "enable", To: app.jid, Name: "node-1"}, "enabled")
	phone.do(command{Do: "presence"})
	phone.presence("", phone.jid)
	juliet := login(t, s, "juliet")

	juliet.send("<message to='%s' type='chat'><body>are you there?</body></message>", phone.bare())
	phone.take("the message", func(e *event) bool { return e.Event == "message" })
	phone.do(command{Do: "die"})
	app.pushed(t) // what the phone has not acknowledged, or
	juliet.send("<message to='%s' type='chat'><body>and now?</body></message>", phone.bare())
	app.pushed(t)

	s.kill()
	s.start()
	app = slixmpp.login(t, s, "push")
	app.ask(command{Do: "serve"}, "serving")
	juliet = login(t, s, "juliet")
	juliet.send("<message to='%s' type='chat'><body>still away?</body></message>", phone.bare())
	app.pushed(t)
}

// pushed takes a notification for romeo, and nothing of what there is to hide.
func (c *client) pushed(t *testing.T) {
	t.Helper()
	e := c.take("a push", func(e *event) bool { return e.Event == "push" })
	if e.From != "romeo@"+domain || e.Name != "node-1" || e.N != 1 || e.Values["secret"] != "s3cret" {
		t.Errorf("got %+v", e)
	}
	for name, v := range e.Values {
		if strings.Contains(name, "last-message") || strings.Contains(v, "juliet") {
			t.Errorf("the app server learns %s: %s", name, v)
		}
	}
}

// TestCommands lets an administrator run ad-hoc commands (XEP-0050, XEP-0133) from
// slixmpp, and somebody invited make an account and become a contact (XEP-0401).
func TestCommands(t *testing.T) {
	s := newServer(t, "[admin]\naccounts = [\"admin@localhost\"]\n")
	s.add("admin", "romeo")
	const space = "http://jabber.org/protocol/admin#"
	admin := slixmpp.available(t, s, "admin")
	if e := admin.ask(command{Do: "commands", To: domain}, "commands"); !slices.Contains(e.Features, space+"add-user") {
		t.Errorf("commands are %v", e.Features)
	}
	admin.ask(command{Do: "execute", To: domain, Name: space + "add-user", Values: map[string]string{
		"accountjid": "nurse@" + domain, "password": password, "password-verify": password}}, "executed")
	nurse := slixmpp.login(t, s, "nurse")
	e := admin.ask(command{Do: "execute", To: domain, Name: space + "get-registered-users-num"}, "executed")
	if e.Values["registeredusersnum"] != "3" {
		t.Errorf("got %+v, want 3 users", e)
	}
	admin.ask(command{Do: "execute", To: domain, Name: space + "disable-user", Values: map[string]string{"accountjids": nurse.bare()}}, "executed")
	out := connect(t, s, slixmpp, "nurse", "")
	out.do(out.loginCommand(false))
	if e := out.take("refused", func(e *event) bool { return e.Event == "refused" || e.Event == "online" }); e.Event != "refused" {
		t.Errorf("a disabled account got in: %+v", e)
	}
	romeo := slixmpp.login(t, s, "romeo")
	romeo.do(command{Do: "execute", To: domain, Name: space + "announce"})
	if e := romeo.take("error", func(e *event) bool { return e.Event == "error" || e.Event == "executed" }); e.Condition != "forbidden" {
		t.Errorf("somebody else may run commands: %+v", e)
	}
	e = romeo.ask(command{Do: "execute", To: domain, Name: "urn:xmpp:invite#invite"}, "executed")
	if !strings.HasPrefix(e.Values["uri"], "xmpp:romeo@localhost?roster;preauth=") {
		t.Errorf("the invitation is %+v", e)
	}
}
