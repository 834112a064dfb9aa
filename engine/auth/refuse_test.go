package auth

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"meerkat/engine/jid"
	"meerkat/engine/metric"
)

func TestStartRefuses(t *testing.T) {
	v := newServer(t)
	strict := v.with(t, Options{RequireTLS: true, Names: []string{"SCRAM-SHA-1"}})
	f := func(m *Mechanisms, mech string, b Binding, want Condition) {
		t.Helper()
		x, err := m.Start(mech, b, host)
		wantCondition(t, mech, err, want)
		if x != nil {
			t.Errorf("%s: an exchange in spite of an error", mech)
		}
	}
	f(v.Mechanisms, "", tls13, InvalidMechanism)
	f(v.Mechanisms, "DIGEST-MD5", tls13, InvalidMechanism)
	f(v.Mechanisms, "scram-sha-1", tls13, InvalidMechanism)
	f(v.Mechanisms, "EXTERNAL", clear, InvalidMechanism)
	f(v.Mechanisms, "SCRAM-SHA-1-PLUS", bare, InvalidMechanism)
	f(v.Mechanisms, "SCRAM-SHA-1-PLUS", clear, InvalidMechanism)
	f(v.Mechanisms, "PLAIN", clear, EncryptionRequired)
	f(strict, "SCRAM-SHA-1", clear, EncryptionRequired)
	f(strict, "PLAIN", clear, EncryptionRequired)
	f(strict, "PLAIN", tls13, InvalidMechanism)
}

func TestPlainRefuses(t *testing.T) {
	v := newServer(t)
	f := func(message string, want Condition) {
		t.Helper()
		user, err := plainLogin(t, v, message)
		wantCondition(t, message, err, want)
		if !user.IsZero() {
			t.Errorf("%.60q: user %q after a failure", message, user)
		}
	}
	f("", MalformedRequest)
	f("romeo", MalformedRequest)
	f("romeo\x00pencil", MalformedRequest)
	f("\x00romeo\x00pencil\x00", MalformedRequest)
	f("\x00romeo\x00pen\x00cil", MalformedRequest)
	f("\x00\x00pencil", MalformedRequest)
	f("\x00romeo\x00", MalformedRequest)
	f("\x00\x00", MalformedRequest)
	f("\x00romeo\xff\x00pencil", MalformedRequest)
	f("\x00romeo\x00pencil\xc3", MalformedRequest)
	f("\xed\xa0\x80\x00romeo\x00pencil", MalformedRequest)
	f("\x00romeo\x00Pencil", NotAuthorized)
	f("\x00romeo\x00pencil ", NotAuthorized)
	f("\x00romeo\x00pencil\x01", NotAuthorized)
	f("\x00romeo\x00"+strings.Repeat("x", 5000), NotAuthorized)
	f("\x00nobody\x00pencil", NotAuthorized)
	f("\x00ghost\x00pencil", NotAuthorized)
	f("\x00romeo@example.org\x00pencil", NotAuthorized)
	f("\x00ro meo\x00pencil", NotAuthorized)
	f("\x00"+strings.Repeat("a", 1024)+"\x00pencil", NotAuthorized)
	f("\x00nurse\x00Pencil", NotAuthorized)
	f("\x00nurse\x00pencil", AccountDisabled)
	f("juliet@example.org\x00romeo\x00pencil", InvalidAuthzid)
	f("romeo@example.net\x00romeo\x00pencil", InvalidAuthzid)
	f("romeo@example.org/desk\x00romeo\x00pencil", InvalidAuthzid)
	f("romeo\x00romeo\x00pencil", InvalidAuthzid)
	f("@\x00romeo\x00pencil", InvalidAuthzid)
	f("nobody@example.org\x00nobody\x00pencil", NotAuthorized)
	if _, err := plainLogin(t, v, "\x00paris\x00pencil"); err != nil {
		t.Errorf("an account with SHA-1 keys alone: %v", err)
	}
}

func TestScramRefusesTheFirstMessage(t *testing.T) {
	v := newServer(t)
	f := func(mech string, b Binding, message string, want Condition) {
		t.Helper()
		x, err := v.Start(mech, b, host)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = x.Step([]byte(message))
		wantCondition(t, message, err, want)
		wantCondition(t, "a step behind the end", second(x.Step([]byte("n,,n=romeo,r=abc"))), MalformedRequest)
	}
	for _, message := range []string{
		"", ",", ",,", "n", "n,", "n,,", "n,,n=romeo", "n,,r=abc,n=romeo", "n,,n=romeo,r=", "n,,n=,r=abc", "n,,romeo,abc",
		"x,,n=romeo,r=abc", "N,,n=romeo,r=abc", "nn,,n=romeo,r=abc", "n=,,n=romeo,r=abc", "p,,n=romeo,r=abc", "p=,,n=romeo,r=abc",
		"n,romeo,n=romeo,r=abc", "n,a=,n=romeo,r=abc", "n,b=x,n=romeo,r=abc",
		"n,,n=ro=meo,r=abc", "n,,n=romeo=,r=abc", "n,,n=romeo=2c,r=abc", "n,,n=romeo=3d,r=abc", "n,a=ro=2,n=romeo,r=abc",
		"n,,n=romeo,r=a bc", "n,,n=romeo,r=a\tbc", "n,,n=romeo,r=\u00e4bc", "n,,n=romeo,r=abc\x7f",
		"n,,n=romeo,r=abc\x00", "n,,n=ro\xffmeo,r=abc", "n,,n=\xed\xa0\x80,r=abc", "\xc3,,n=romeo,r=abc",
		"n,,m=x,n=romeo,r=abc", "n,,n=romeo,m=x,r=abc", "n,,n=romeo,r=abc,m=x", "n,,n=romeo,r=abc,x=y,m=z", "n,,n=romeo,r=abc,m=",
		"n,,n=romeo,r=abc,", "n,,n=romeo,r=abc,x", "n,,n=romeo,r=abc,x=", "n,,n=romeo,r=abc,1=y", "n,,n=romeo,r=abc,,x=y",
		"n,,n=romeo,r=abc,x=y,", "n,,n=romeo,r=abc,r=abc", "n,,n=romeo,r=abc,n=nurse",
	} {
		f("SCRAM-SHA-1", clear, message, MalformedRequest)
	}
	f("SCRAM-SHA-1", tls13, "y,,n=romeo,r=abc", NotAuthorized)
	f("SCRAM-SHA-1", tls12, "y,,n=romeo,r=abc", NotAuthorized)
	f("SCRAM-SHA-1", tls13, "p=tls-exporter,,n=romeo,r=abc", MalformedRequest)
	f("SCRAM-SHA-1-PLUS", tls13, "n,,n=romeo,r=abc", MalformedRequest)
	f("SCRAM-SHA-1-PLUS", tls13, "y,,n=romeo,r=abc", MalformedRequest)
	f("SCRAM-SHA-1-PLUS", tls13, "p=tls-unique,,n=romeo,r=abc", MalformedRequest)
	f("SCRAM-SHA-1-PLUS", tls13, "p=TLS-EXPORTER,,n=romeo,r=abc", MalformedRequest)
	f("SCRAM-SHA-1-PLUS", tls12, "p=tls-exporter,,n=romeo,r=abc", MalformedRequest)
	f("SCRAM-SHA-1", clear, "n,a=juliet@example.org,n=romeo,r=abc", InvalidAuthzid)
	f("SCRAM-SHA-1", clear, "n,a=romeo,n=romeo,r=abc", InvalidAuthzid)
	f("SCRAM-SHA-1", clear, "n,a=romeo@example.org/x,n=romeo,r=abc", InvalidAuthzid)
	f("SCRAM-SHA-1", clear, "n,a=a b@example.org,n=a b,r=abc", InvalidAuthzid)
}

func TestScramRefusesTheFinalMessage(t *testing.T) {
	v := newServer(t)
	f := func(what string, want Condition, edit func(c *client, final string) string) {
		t.Helper()
		c := &client{hash: SHA256, flag: "p=tls-exporter", name: "romeo", password: password, binding: exporter}
		x, err := v.Start("SCRAM-SHA-256-PLUS", tls13, host)
		if err != nil {
			t.Fatal(err)
		}
		challenge, _, err := x.Step(c.start())
		if err != nil {
			t.Fatal(err)
		}
		good := string(c.finish(challenge))
		out, done, err := x.Step([]byte(edit(c, good)))
		wantCondition(t, what, err, want)
		if out != nil || done || !x.User().IsZero() {
			t.Errorf("%s: %q, done %v, user %q after a failure", what, out, done, x.User())
		}
		wantCondition(t, "the right message after a wrong one", second(x.Step([]byte(good))), MalformedRequest)
	}
	replace := func(old, with string) func(*client, string) string {
		return func(_ *client, s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("%q has no %q", s, old)
			}
			return strings.Replace(s, old, with, 1)
		}
	}
	always := func(s string) func(*client, string) string { return func(*client, string) string { return s } }
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	bound := "c=" + b64("p=tls-exporter,,"+string(exporter))

	f("empty", MalformedRequest, always(""))
	f("a proof alone", MalformedRequest, always("p="+b64(strings.Repeat("x", 32))))
	f("no proof", MalformedRequest, func(_ *client, s string) string { return s[:strings.LastIndex(s, ",p=")] })
	f("an empty proof", MalformedRequest, func(_ *client, s string) string { return s[:strings.LastIndex(s, ",p=")+3] })
	f("a short proof", MalformedRequest, func(_ *client, s string) string { return s[:strings.LastIndex(s, ",p=")+3] + b64("short") })
	f("no c", MalformedRequest, replace(bound+",", ""))
	f("no r", MalformedRequest, replace(",r=", ",x="))
	f("c of bad base64", MalformedRequest, replace(bound, bound[:len(bound)-1]+"*"))
	f("c with a line end", MalformedRequest, replace(bound, bound+"\n"))
	f("p not canonical", MalformedRequest, func(_ *client, s string) string { return s + "=" })
	f("p twice", MalformedRequest, replace(",p=", ",p=AAAA,p="))
	f("behind the proof", MalformedRequest, func(_ *client, s string) string { return s + ",x=y" })
	f("an empty extension", MalformedRequest, replace(",p=", ",,p="))
	f("m", MalformedRequest, replace(",p=", ",m=x,p="))
	f("m in front", MalformedRequest, replace("c=", "m=x,c="))
	f("NUL", MalformedRequest, replace(",p=", ",x=\x00,p="))
	f("not UTF-8", MalformedRequest, replace(",p=", ",x=\xff,p="))
	f("another header", NotAuthorized, replace(bound, "c="+b64("n,,")))
	f("no binding data", NotAuthorized, replace(bound, "c="+b64("p=tls-exporter,,")))
	f("another's binding data", NotAuthorized, replace(bound, "c="+b64("p=tls-exporter,,"+string(endPoint))))
	f("another authzid", NotAuthorized, replace(bound, "c="+b64("p=tls-exporter,a=juliet@example.org,"+string(exporter))))
	f("the client's nonce alone", NotAuthorized, func(c *client, s string) string {
		return strings.Replace(s, c.attr("r"), "fyko+d2lbbFgONRv9qkxdawL", 1)
	})
	f("another nonce", NotAuthorized, replace(",r=f", ",r=g"))
	f("an unsigned extension", NotAuthorized, replace(",p=", ",x=y,p="))
	f("a wrong proof", NotAuthorized, func(_ *client, s string) string {
		return s[:strings.LastIndex(s, ",p=")+3] + b64(strings.Repeat("x", 32))
	})
	f("a wrong password", NotAuthorized, func(c *client, _ string) string {
		c.password = "Pencil"
		return string(c.finish([]byte(c.serverFirst)))
	})
	f("an edited challenge", NotAuthorized, func(c *client, _ string) string {
		return string(c.finish([]byte(strings.Replace(c.serverFirst, ",h=", ",h=x", 1))))
	})
}

// What a stranger hears must not tell which names exist (rule of the package).
func TestUnknownAndWrongAreAlike(t *testing.T) {
	v := newServer(t)
	hear := func(mech, name string) (text string, work uint64) {
		t.Helper()
		before := derivations.Value()
		var err error
		if mech == "PLAIN" {
			_, err = plainLogin(t, v, "\x00"+name+"\x00wrong")
		} else {
			c := &client{hash: SHA512, flag: "n", name: name, password: "wrong"}
			_, err = c.login(t, v.Mechanisms, mech, clear)
			if salt, _ := base64.StdEncoding.DecodeString(c.attr("s")); len(salt) != saltSize || c.attr("i") != "4096" {
				t.Errorf("%s as %s: salt of %d octets, %s iterations", mech, name, len(salt), c.attr("i"))
			}
		}
		return err.Error(), derivations.Value() - before
	}
	for mech, wantWork := range map[string]uint64{"PLAIN": 1, "SCRAM-SHA-512": 0} {
		want, _ := hear(mech, "romeo")
		for _, name := range []string{"romeo", "nobody", "no body", "ghost", "nurse", "paris", "romeo@example.org"} {
			if text, work := hear(mech, name); text != want || work != wantWork {
				t.Errorf("%s as %s: %q after %d derivations, want %q after %d", mech, name, text, work, want, wantWork)
			}
		}
	}
}

func TestDecoySaltIsStablePerNameHashAndServer(t *testing.T) {
	v := newServer(t)
	salt := func(m *Mechanisms, name string, h Hash) string {
		t.Helper()
		x, _ := m.Start("SCRAM-"+h.String(), clear, host)
		c := &client{hash: h, flag: "n", name: name}
		out, _, err := x.Step(c.start())
		if err != nil {
			t.Fatal(err)
		}
		c.serverFirst = string(out)
		return c.attr("s")
	}
	first := salt(v.Mechanisms, "nobody", SHA256)
	again, err := LoadSecret(v.store)
	if err != nil {
		t.Fatal(err)
	}
	restarted, err := New(Options{Backend: v.accounts, Secret: again, Iterations: MinIterations})
	if err != nil {
		t.Fatal(err)
	}
	for what, s := range map[string]string{
		"asked again": salt(v.Mechanisms, "nobody", SHA256), "in capitals": salt(v.Mechanisms, "NoBody", SHA256),
		"after a restart": salt(restarted, "nobody", SHA256),
	} {
		if s != first {
			t.Errorf("%s: salt %s, want %s", what, s, first)
		}
	}
	for what, s := range map[string]string{
		"another name": salt(v.Mechanisms, "nobodz", SHA256), "another hash": salt(v.Mechanisms, "nobody", SHA1),
	} {
		if s == first {
			t.Errorf("%s has the same salt", what)
		}
	}
}

func TestNonceIsFreshAndContinuesTheClients(t *testing.T) {
	v := newServer(t)
	seen := map[string]bool{}
	for range 100 {
		x, _ := v.Start("SCRAM-SHA-1", clear, host)
		c := &client{hash: SHA1, flag: "n", name: "romeo"}
		out, _, _ := x.Step(c.start())
		c.serverFirst = string(out)
		own, ok := strings.CutPrefix(c.attr("r"), "fyko+d2lbbFgONRv9qkxdawL")
		if random, err := base64.StdEncoding.DecodeString(own); !ok || err != nil || len(random)*8 < 144 || seen[own] {
			t.Fatalf("nonce %q: want the client's and 144 new bits behind it", c.attr("r"))
		}
		seen[own] = true
	}
}

func TestDisabledAccountIsToldOnlyToItsOwner(t *testing.T) {
	v := newServer(t)
	c := &client{hash: SHA1, flag: "n", name: "nurse", password: password}
	_, err := c.login(t, v.Mechanisms, "SCRAM-SHA-1", clear)
	wantCondition(t, "the right password", err, AccountDisabled)
	c.password = "wrong"
	_, err = c.login(t, v.Mechanisms, "SCRAM-SHA-1", clear)
	wantCondition(t, "a wrong password", err, NotAuthorized)
}

func TestImportedAccountHasNoOtherHash(t *testing.T) {
	v := newServer(t)
	c := &client{hash: SHA256, flag: "n", name: "paris", password: password}
	_, err := c.login(t, v.Mechanisms, "SCRAM-SHA-256", clear)
	wantCondition(t, "keys for another hash", err, NotAuthorized)
}

type brokenBackend struct{ err error }

func (b brokenBackend) Lookup(jid.JID) (Account, error) { return Account{}, b.err }

func TestBrokenBackendIsATemporaryFailure(t *testing.T) {
	v, cause := newServer(t), errors.New("the disk is on fire")
	v.opt.Backend = brokenBackend{cause}
	m := v.with(t, Options{})
	for mech, message := range map[string]string{"PLAIN": "\x00romeo\x00pencil", "SCRAM-SHA-1": "n,,n=romeo,r=abc"} {
		x, err := m.Start(mech, bare, host)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = x.Step([]byte(message))
		wantCondition(t, mech, err, TemporaryAuthFailure)
		var f Failure
		if !errors.Is(err, cause) || !errors.As(err, &f) || strings.Contains(f.Text, "fire") {
			t.Errorf("%s: %v; want the cause for the log and not for the client", mech, err)
		}
	}
}

func TestOutcomesAreCounted(t *testing.T) {
	v := newServer(t)
	denials, wins := failures.Value(int(NotAuthorized)), successes.Value(len(mechanisms)-1)
	_, _ = plainLogin(t, v, "\x00romeo\x00wrong")
	_, _ = plainLogin(t, v, "\x00romeo\x00pencil")
	if d, w := failures.Value(int(NotAuthorized))-denials, successes.Value(len(mechanisms)-1)-wins; d != 1 || w != 1 {
		t.Errorf("%d failures and %d successes counted, want 1 and 1", d, w)
	}
	if len(metric.Snapshot()) == 0 {
		t.Error("the metrics are not registered")
	}
}
